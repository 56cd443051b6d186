"""Which of a campaign's numbers shall carry the next call.

``caller`` says what is known of a number and whether it may be used, ``strategies`` choose among
those that may, and ``pool`` works through one batch of claims so that no cap is ever passed.
Everything is pure: snapshots, limits and the time come in, choices and new snapshots go out.
"""

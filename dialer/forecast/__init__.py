"""What a campaign will come to: the engine itself, over a copy of the list, in virtual time.

``reading`` takes a snapshot of the live database and never writes to it. ``cards`` are calls to be
replayed, dealt from the campaign's own ``history`` or from a carrier ``profile``. ``scale`` makes a
small world that takes as long as the large one. ``run`` is one run, ``workers`` does many of them
beside each other, and ``summary`` says what they have in common.
"""

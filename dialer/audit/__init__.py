"""The independent checker: the carrier's own record against the database, promise by promise.

It shares nothing with the engine but the tree of errors, so that a fault there cannot hide here.
:func:`dialer.audit.check.check` is pure; readers gather what it judges.
"""

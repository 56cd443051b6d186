"""Who picked up: a person or a machine.

Pure decisions over what a detector reported; the package reads no clock and does no I/O.
An answer that nobody could tell apart counts as a person, always: the expensive error is to
hang up on one.
"""

"""Cells of a workbook that are numbers to it, written out as texts."""


class NumberCell(str):
    """What a cell of numbers says. As a phone number it is not to be trusted: a plus and leading
    zeros are lost, and so may be the last digits.
    """

    __slots__ = ()

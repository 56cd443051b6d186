"""Our own detection of machines, in words: what becomes news of a call, and is read from it again.

One word tells what answered, the kind of machine where that is known; others tell that a greeting
is over.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from amd.verdict import Decision, Finding, GreetingEnd, MachineKind, Verdict
from dialer.model import Judgement

#: By word: who answered.
_VERDICTS: Final[Mapping[str, Verdict]] = MappingProxyType(
    {str(verdict): verdict for verdict in Verdict}
    | {str(kind): Verdict.MACHINE for kind in MachineKind}
)
_KINDS: Final[Mapping[str, MachineKind]] = MappingProxyType({str(k): k for k in MachineKind})
_GREETING_OVER: Final = frozenset(f"greeting_over_{how}" for how in GreetingEnd)


def word_of(finding: Finding) -> str:
    """The word that tells *finding*."""
    if isinstance(finding, Decision):
        return str(finding.kind or finding.verdict)
    return f"greeting_over_{finding.how}"


def greeting_over(word: str | None) -> bool:
    """Whether the word says that a message spoken from now on is recorded."""
    return word in _GREETING_OVER


def beeped(word: str | None) -> bool:
    """Whether it was a beep that said so."""
    return word == f"greeting_over_{GreetingEnd.BEEP}"


def verdict_in(judged: Judgement | None) -> Verdict:
    """Who answered; nobody has told, or in a word nobody knows: UNKNOWN, and so a person."""
    return Verdict.UNKNOWN if judged is None else _VERDICTS.get(judged.word, Verdict.UNKNOWN)


def kind_in(judged: Judgement | None) -> MachineKind | None:
    """What kind of machine it is, where that is known."""
    return None if judged is None else _KINDS.get(judged.word)


def later(one: Judgement | None, other: Judgement | None) -> Judgement | None:
    """Of two judgements of one call the one that counts: the latest that tells who answered."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=_weight)


def _weight(judged: Judgement) -> tuple[bool, int, str]:
    """That nobody could tell takes nothing back that somebody could."""
    return verdict_in(judged) is not Verdict.UNKNOWN, judged.sequence, judged.word

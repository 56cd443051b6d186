"""What an audit finds: violations, and for each promise how much of it could be looked at."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import getdoc
from typing import TypeAlias

from dialer.audit.evidence import Evidence
from dialer.audit.records import Attempt, Call


@dataclass(frozen=True, slots=True)
class Violation:
    """One promise not kept, and whom it concerns, so that the guilty attempt can be found."""

    invariant: str
    text: str
    attempt: str | None = None
    callee: str | None = None
    campaign: int | None = None

    def __str__(self) -> str:
        of = f" (attempt {self.attempt})" if self.attempt else ""
        return f"{self.invariant}: {self.text}{of}"


@dataclass(frozen=True, slots=True)
class Scope:
    """How many things were looked at, what cannot be known, and why nothing was checked, if so."""

    checked: int = 0
    notes: Sequence[str] = ()
    blind: str | None = None


Find: TypeAlias = Callable[[Evidence], Iterator[Violation]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """A promise as a program checks it; its words are the first line of what *find* documents."""

    name: str
    find: Find
    scope: Callable[[Evidence], Scope]
    advice: str  # what to do about a violation

    @property
    def promise(self) -> str:
        return (getdoc(self.find) or self.name).splitlines()[0].rstrip(".")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one invariant."""

    invariant: Invariant
    scope: Scope
    violations: Sequence[Violation]


@dataclass(frozen=True, slots=True)
class Report:
    """The results in order; *compared* calls were held against their attempts."""

    results: Sequence[Result]
    compared: int

    @property
    def violations(self) -> Sequence[Violation]:
        return [violation for result in self.results for violation in result.violations]

    @property
    def clean(self) -> bool:
        return not self.violations


def of_attempt(attempt: Attempt, invariant: str, text: str) -> Violation:
    """A violation that an attempt is guilty of."""
    return Violation(invariant, text, attempt.id, attempt.phone, attempt.campaign_id)


def of_call(evidence: Evidence, call: Call, invariant: str, text: str) -> Violation:
    """A violation that shows in a call, laid at the door of its attempt where that is known."""
    attempt = evidence.attempt_of(call)
    if attempt is None:
        return Violation(invariant, text, call.token or None, call.to)
    return of_attempt(attempt, invariant, text)


def moment(at: int) -> str:
    """An instant as people read it."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

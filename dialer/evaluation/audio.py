"""How well recordings are judged: each is played to the detector as the carrier would send it.

The clock is the recording's own. A person counts as lost as soon as a machine or a fax was told,
whether that was taken back or not: by then the call may be over. Nobody told is a person.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from amd.audio import AudioDetector, Model
from amd.audio.frames import FRAME, FRAME_MS
from amd.fusion import Fusion
from amd.signals import Speech
from amd.thresholds import BALANCED, Thresholds
from amd.verdict import Decision, Finding, Verdict
from dialer.evaluation.intervals import Rate, percentile
from dialer.evaluation.recordings import Label, Recording, sound

MOMENTS_MS: Final = (3000, 5000)
"""Since the answer: by when it is told how many were found, beside all in all."""

_NOBODY: Final = frozenset({Verdict.MACHINE, Verdict.FAX})


@dataclass(frozen=True, slots=True)
class Judged:
    """What was told of one recording; times are milliseconds since the answer."""

    recording: Recording
    first: Decision | None
    machine_ms: int | None  # when it was first told that nobody is there
    spoken_ms: int | None  # when the last words before the first verdict had ended

    @property
    def wrong(self) -> bool:
        """Whether a person was lost, or a machine never found."""
        return (self.machine_ms is not None) == (self.recording.label is Label.HUMAN)


def judged(
    recordings: Iterable[Recording],
    model: Model | None,
    thresholds: Thresholds = BALANCED,
) -> Iterator[Judged]:
    """Play each; raises UsageError for the first that is no recording of a call."""
    for each in recordings:
        yield judge(each, sound(each), model, thresholds)


def judge(
    recording: Recording,
    payload: bytes,
    model: Model | None,
    thresholds: Thresholds = BALANCED,
) -> Judged:
    """What is told of *payload*, the mu-law sound of *recording*."""
    detector, fusion = AudioDetector(model), Fusion(thresholds)
    told: list[Finding] = []
    spoken_ms: int | None = None
    for at_ms in range(0, len(payload) * FRAME_MS // FRAME, FRAME_MS):
        begin = at_ms * FRAME // FRAME_MS
        for signal in detector.hear(payload[begin : begin + FRAME], at_ms):
            if isinstance(signal, Speech) and not told:
                spoken_ms = None if signal.began else signal.at_ms
            told += fusion.hear(signal)
        told += fusion.wait(at_ms + FRAME_MS)
        if fusion.due_ms is None:
            break
    decisions = [each for each in told if isinstance(each, Decision)]
    machine_ms = next((each.at_ms for each in decisions if each.verdict in _NOBODY), None)
    return Judged(recording, decisions[0] if decisions else None, machine_ms, spoken_ms)


def summary(found: Sequence[Judged]) -> dict[str, Any]:
    """Counts, rates with their intervals and times, of all and by kind."""
    kinds = sorted({each.recording.kind for each in found} - {""})
    return {
        **_figures(found),
        "per_label": {
            label.value: _figures([each for each in found if each.recording.label is label])
            for label in Label
        },
        "per_kind": {
            kind: _figures([each for each in found if each.recording.kind == kind])
            for kind in kinds
        },
    }


def errors(found: Sequence[Judged]) -> list[dict[str, Any]]:
    """What was judged wrongly, persons first."""
    wrong = sorted((each for each in found if each.wrong), key=lambda each: each.recording.label)
    return [
        {
            "row": each.recording.row,
            "file": each.recording.file,
            "label": each.recording.label.value,
            "machine_ms": each.machine_ms,
            "cause": each.first.cause if each.first else None,
        }
        for each in wrong
    ]


def _figures(found: Sequence[Judged]) -> dict[str, Any]:
    humans = [each for each in found if each.recording.label is Label.HUMAN]
    machines = [each for each in found if each.recording.label is Label.MACHINE]
    firsts = [each.first.verdict if each.first else Verdict.UNKNOWN for each in found]
    return {
        "recordings": len(found),
        "humans": len(humans),
        "machines": len(machines),
        "first_verdicts": {verdict.value: firsts.count(verdict) for verdict in Verdict},
        "false_machine": _told(humans, None).as_json(),
        "recall": _told(machines, None).as_json(),
        "by_ms": {
            str(moment_ms): {
                "false_machine": _told(humans, moment_ms).as_json(),
                "recall": _told(machines, moment_ms).as_json(),
            }
            for moment_ms in MOMENTS_MS
        },
        "machine_at_ms": _spread([each.machine_ms for each in machines]),
        "human_at_ms": _spread([_accepted_ms(each) for each in humans]),
        "human_after_speech_ms": _spread([_after_speech_ms(each) for each in humans]),
    }


def _told(found: Sequence[Judged], by_ms: int | None) -> Rate:
    """Of how many it was told by then that nobody is there."""
    hits = sum(
        each.machine_ms is not None and (by_ms is None or each.machine_ms <= by_ms)
        for each in found
    )
    return Rate(hits, len(found))


def _accepted_ms(judged: Judged) -> int | None:
    """When it was told that somebody may be there; None where nothing was, or the contrary."""
    first = judged.first
    return None if first is None or first.verdict in _NOBODY else first.at_ms


def _after_speech_ms(judged: Judged) -> int | None:
    """From the end of the words to that moment; 0 where it came before they had ended."""
    told_ms = _accepted_ms(judged)
    if told_ms is None:
        return None
    return 0 if judged.spoken_ms is None else max(0, told_ms - judged.spoken_ms)


def _spread(times_ms: Iterable[int | None]) -> dict[str, float | None]:
    known = [each for each in times_ms if each is not None]
    return {f"p{share}": percentile(known, share / 100) for share in (50, 90, 95)}

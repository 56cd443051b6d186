"""Beeps that are found, false alarms in speech, and the CPU it takes to listen.

Beeps are made here, in every noise and at every level a line has. Speech is a folder of recordings
with no beep in them: 8 kHz mu-law WAV, looked for in all folders below it; without it the false
alarms are left out. The CPU is that of everything done with the sound, not of tones alone, fed as a
carrier does, 20 ms at a time. On a machine that others use it shows their load as well.

    python -m benchmarks.amd_tones [FOLDER] [--beeps 400]
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amd.audio import AudioDetector
from amd.signals import Signal, Tone, ToneKind
from tests.support.sounds import BYTES_PER_MS, PAYLOAD, Sound, mixed, noise, payloads, silence, tone

NEAR_MS = 60
#: No beep of a machine: the network and telephone keys sound like these.
TAKEN_HZ = (400, 425, 450, 697, 770, 852, 941, 2100)
AFTER_S = 0.5
PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Beep:
    """A beep of *lines_hz* in a noise *snr_db* below it, from *begins_s* on."""

    lines_hz: tuple[float, ...]
    seconds: float
    snr_db: float
    begins_s: float
    seed: int

    @property
    def ends_ms(self) -> float:
        return (self.begins_s + self.seconds) * 1000

    def line(self) -> Sound:
        """The line from the answer on."""
        dbfs = -10.0 - self.seed % 15
        sound = tone(self.lines_hz, self.seconds, dbfs=dbfs)
        whole = np.concatenate([silence(self.begins_s), sound, silence(AFTER_S)])
        long_s = len(whole) / 8000 + 0.1
        pink = bool(self.seed % 2)
        return mixed(whole, noise(long_s, dbfs=dbfs - self.snr_db, seed=self.seed, pink=pink))


def _line_hz(rng: random.Random) -> float:
    while True:
        hz = rng.uniform(440, 2050)
        if all(abs(hz - taken) > 0.03 * taken for taken in TAKEN_HZ):
            return hz


def _pair_hz(rng: random.Random) -> tuple[float, float]:
    """Two lines that do not beat with one another."""
    while True:
        low, high = sorted((_line_hz(rng), _line_hz(rng)))
        if high - low > 100:
            return low, high


def _beep(rng: random.Random, lines_hz: tuple[float, ...], seconds: float) -> Beep:
    return Beep(lines_hz, seconds, rng.uniform(10, 35), rng.uniform(0.4, 0.7), rng.randrange(10**6))


KINDS: dict[str, Callable[[random.Random], Beep]] = {
    "200 ms": lambda rng: _beep(rng, (_line_hz(rng),), 0.2),
    "0.2 to 1 s": lambda rng: _beep(rng, (_line_hz(rng),), rng.uniform(0.2, 1.0)),
    "869 Hz": lambda rng: _beep(rng, (869.0,), rng.uniform(0.2, 0.5)),
    "two lines": lambda rng: _beep(rng, _pair_hz(rng), rng.uniform(0.2, 1.0)),
}


def told_at(beep: Beep) -> float | None:
    """How long after its end (ms) the beep was told; None where it was not, or not as it was."""
    detector, heard = AudioDetector(), []
    for payload, at_ms in payloads(beep.line()):
        arrived_ms = at_ms + len(payload) / BYTES_PER_MS
        heard += [(one, arrived_ms) for one in detector.hear(payload, at_ms) if _is_beep(one)]
    if len(heard) != 1 or abs(heard[0][0].at_ms - beep.ends_ms) > NEAR_MS:
        return None
    return heard[0][1] - beep.ends_ms


def _is_beep(signal: Signal) -> bool:
    return isinstance(signal, Tone) and signal.kind is ToneKind.BEEP


def measure_beeps(count: int) -> None:
    print(f"{'beeps':<14}{'found':>12}{'told after its end, ms: median / p95 / most':>48}")
    for name, make in KINDS.items():
        rng = random.Random(name)
        delays = [told_at(make(rng)) for _ in range(count)]
        found = sorted(delay for delay in delays if delay is not None)
        p95 = found[int(0.95 * (len(found) - 1))]
        late = f"{statistics.median(found):.0f} / {p95:.0f} / {found[-1]:.0f}"
        print(f"{name:<14}{len(found) / count:>11.1%}{late:>49}")


def recordings(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The mu-law bytes of every recording below *folder*."""
    for path in sorted(folder.rglob("*.wav")):
        content = path.read_bytes()
        yield path, content[content.index(b"data") + 8 :]


def measure_speech(folder: Path) -> None:
    alarms: list[str] = []
    heard_s, cpu_s = 0.0, 0.0
    for path, line in recordings(folder):
        began_s = time.process_time()
        alarms += [f"{path.name} {one}" for one in _tones(line + b"\xff" * 1600)]
        cpu_s += time.process_time() - began_s
        heard_s += len(line) / BYTES_PER_MS / 1000
    print("\n".join(alarms))
    print(
        f"{heard_s / PER_HOUR:.2f} h of speech: {len(alarms)} false alarms, "
        f"{len(alarms) / heard_s * PER_HOUR:.2f} an hour; "
        f"{cpu_s / heard_s * 1000:.1f} ms of CPU per second of sound"
    )


def _tones(line: bytes) -> Sequence[Tone]:
    detector = AudioDetector()
    starts = range(0, len(line), PAYLOAD)
    heard = [detector.hear(line[at : at + PAYLOAD], at // BYTES_PER_MS) for at in starts]
    return [one for signals in heard for one in signals if isinstance(one, Tone)]


def main() -> None:
    summary, *_ = (__doc__ or "").splitlines()
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("folder", type=Path, nargs="?", help="recordings of speech without beeps")
    parser.add_argument("--beeps", type=int, default=400, help="of each kind")
    arguments = parser.parse_args()
    measure_beeps(arguments.beeps)
    if arguments.folder is not None:
        if not any(recordings(arguments.folder)):
            parser.error(f"no WAV files below {arguments.folder}")
        measure_speech(arguments.folder)


if __name__ == "__main__":
    main()

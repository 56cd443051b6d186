"""Who speaks, by the words: our hints beside the nine-word rule, on the same texts.

The rule calls a final transcript of fewer than nine words a person, one of nine words or more a
machine at once, and looks for a few fixed phrases: how several open voice gateways decide.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from amd.signals import Text, TextCue
from amd.text.normal import normalised, word_count
from dialer.errors import DialerError
from dialer.evaluation.intervals import Rate, percentile
from dialer.evaluation.texts import Judge, Labelled, by_words, judged, prefixes, read

OWN = Path(__file__).parents[1] / "tests" / "data" / "amd_texts.csv"
LONG_WORDS = 9
PHRASES = (
    "leave a message", "after the tone", "after the beep", "voicemail", "not available",
    "call you back", "get back to you", "unable to take", "press 1", "press one",
)  # fmt: skip


def nine_words(case: Labelled) -> tuple[Text | None, int]:
    """The nine-word rule, from its description."""
    parts = list(prefixes(case.text))
    for count, said in enumerate(parts, 1):
        words = normalised(said)
        if any(phrase in words for phrase in PHRASES):
            return Text(0, TextCue.VOICEMAIL, 1.0, "phrase"), count
        if word_count(words) >= LONG_WORDS:
            return Text(0, TextCue.VOICEMAIL, 1.0, "long"), count
    return Text(0, TextCue.BRIEF, 1.0, "short"), len(parts)


def measure(name: str, cases: Sequence[Labelled], judge: Judge) -> None:
    """Print one rule's figures."""
    begun = time.process_time()
    found = list(judged(cases, judge))
    spent = time.process_time() - begun
    partials = sum(
        each.words if each.is_machine else len(list(prefixes(each.case.text))) for each in found
    )
    people = [each.is_machine for each in found if each.case.label == "human"]
    machines = [each for each in found if each.case.label == "machine"]
    told = [each.words for each in machines if each.is_machine]
    print(f"{name}:")
    print(f"  false-machine  {Rate(sum(people), len(people))}")
    print(f"  recall         {Rate(len(told), len(machines))}")
    print(f"  words          p50 {percentile(told, 0.5)}, p90 {percentile(told, 0.9)}")
    print(f"  CPU            {spent / max(partials, 1) * 1e6:.0f} us a partial")


def main() -> None:
    """Judge every file named on the command line, or our own texts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="CSV: label, lang, text")
    files = parser.parse_args().files or [OWN]
    try:
        cases = [case for path in files for case in read(path)]
    except DialerError as error:
        sys.exit(f"error: {error.message}")
    for warm in {case.language for case in cases}:  # hints are read from their files once
        by_words(Labelled(0, "human", "", warm, "hello"))
    measure("hints", cases, by_words)
    measure("nine words", cases, nine_words)


if __name__ == "__main__":
    main()

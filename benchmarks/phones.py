"""Numbers of a list made E.164, and their places: per CPU second, beside the library alone.

The list is what an import meets: half of it American, the rest British, Indian, German and
Brazilian, each as its country writes it, and some of it junk. The library parses, validates and
formats; ours is `dialer.phones.e164`, which also refuses what is not sure, so its answers are
fewer. Both read the same texts in turn, round by round; quote the ratio, for on a busy machine
the figures themselves say more about the neighbours.

    python -m benchmarks.phones [--rows 100000] [--rounds 3]
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType

from dialer.phones import PhoneError, e164
from dialer.places import place_of

#: Of a hundred numbers that are none of the junk.
SHARES = {"US": 50, "GB": 15, "IN": 15, "DE": 10, "BR": 10}
JUNK_SHARE = 0.02
JUNK = ("n/a", "555-0123", "12345", "4.91512E+11", "+999 123 456", "(202) 555-0123 ext 5")
#: How often which notation is met; the last one has lost its national prefix.
NOTATIONS = {
    PhoneNumberFormat.E164: 40,
    PhoneNumberFormat.INTERNATIONAL: 30,
    PhoneNumberFormat.NATIONAL: 25,
    None: 5,
}
AREAS = ("202", "206", "212", "270", "305", "312", "404", "415", "617", "713", "808", "928")
MICROSECONDS = 1e6

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Written:
    """A number as a list has it, and the country whose list it is."""

    text: str
    region: str


def written_numbers(rows: int, rng: random.Random) -> list[Written]:
    """*rows* numbers and junk in the shares above; the same for the same randomness."""
    regions = rng.choices(list(SHARES), list(SHARES.values()), k=rows)
    return [
        Written(rng.choice(JUNK), region)
        if rng.random() < JUNK_SHARE
        else Written(_notation(_number_of(region, rng), rng), region)
        for region in regions
    ]


def _number_of(region: str, rng: random.Random) -> PhoneNumber:
    """A valid number near the country's example of a mobile or of a fixed line."""
    kind = rng.choice((PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE))
    example = phonenumbers.example_number_for_type(region, kind)
    assert example is not None, "the library has an example of both for every country here"
    national = phonenumbers.national_significant_number(example)
    while True:
        kept = rng.choice(AREAS) if region == "US" else national[:3]
        rest = "".join(rng.choices("0123456789", k=len(national) - len(kept)))
        number = PhoneNumber(example.country_code, int(kept + rest))
        if phonenumbers.is_valid_number(number):
            return number


def _notation(number: PhoneNumber, rng: random.Random) -> str:
    (chosen,) = rng.choices(list(NOTATIONS), list(NOTATIONS.values()))
    if chosen is None:
        return phonenumbers.national_significant_number(number)
    return phonenumbers.format_number(number, chosen)


def by_the_library(rows: Sequence[Written]) -> list[str]:
    """Every number that is valid to the library."""
    found = []
    for row in rows:
        try:
            number = phonenumbers.parse(row.text, row.region)
        except NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            found.append(phonenumbers.format_number(number, PhoneNumberFormat.E164))
    return found


def by_us(rows: Sequence[Written]) -> list[str]:
    """Every number that is surely one."""
    found = []
    for row in rows:
        try:
            found.append(e164(row.text, row.region))
        except PhoneError:
            continue
    return found


def places(numbers: Sequence[str]) -> list[str]:
    """The place of every number, as it is stored."""
    return [place_of(number).key for number in numbers]


def cpu_us_per_row(work: Callable[[Sequence[Row]], object], rows: Sequence[Row]) -> float:
    """Microseconds of CPU that *work* takes for each row."""
    began_s = time.process_time()
    work(rows)
    return (time.process_time() - began_s) * MICROSECONDS / len(rows)


def measure(rows: int, rounds: int) -> None:
    written = written_numbers(rows, random.Random(1))
    numbers = by_us(written)  # and all patterns and tables are there before the first round
    places(numbers)
    theirs, ours, placed = [], [], []
    for _ in range(rounds):
        theirs.append(cpu_us_per_row(by_the_library, written))
        ours.append(cpu_us_per_row(by_us, written))
        placed.append(cpu_us_per_row(places, numbers))
    ratios = [slow / fast for slow, fast in zip(theirs, ours, strict=True)]
    print(f"{rows:,} rows, {len(numbers):,} numbers, median of {rounds} rounds")
    print(f"{'':<22}{'us CPU/row':>12}{'rows/CPU s':>14}{'ratio':>9}")
    for name, figures, ratio in (
        ("the library alone", theirs, "1.0"),
        ("numbers", ours, f"{statistics.median(ratios):.1f}"),
        ("places", placed, ""),
    ):
        figure = statistics.median(figures)
        print(f"{name:<22}{figure:>12.2f}{MICROSECONDS / figure:>14,.0f}{ratio:>9}")


def main() -> None:
    summary, *_ = (__doc__ or "").splitlines()
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    measure(arguments.rows, arguments.rounds)


if __name__ == "__main__":
    main()

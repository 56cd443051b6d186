"""Make ``dialer/data/area_codes.csv`` from the geocoder data of ``phonenumbers``.

``python -m tests.support.area_codes > dialer/data/area_codes.csv`` after an update of the library
brought new area codes; a test says when.
"""

import sys
from collections.abc import Iterator
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType

AREA_CODES: Final = tuple(str(code) for code in range(200, 1000))

#: The states by the names the library has for them; "TX" stands for itself.
STATES: Final = {
    "Alabama": "AL", "Alaska": "AK", "Arizona": "AZ", "Arkansas": "AR", "California": "CA",
    "Colorado": "CO", "Connecticut": "CT", "Delaware": "DE", "Florida": "FL", "Georgia": "GA",
    "Hawaii": "HI", "Idaho": "ID", "Illinois": "IL", "Indiana": "IN", "Iowa": "IA",
    "Kansas": "KS", "Kentucky": "KY", "Louisiana": "LA", "Maine": "ME", "Maryland": "MD",
    "Massachusetts": "MA", "Michigan": "MI", "Minnesota": "MN", "Mississippi": "MS",
    "Missouri": "MO", "Montana": "MT", "Nebraska": "NE", "Nevada": "NV", "New Hampshire": "NH",
    "New Jersey": "NJ", "New Mexico": "NM", "New York": "NY", "North Carolina": "NC",
    "North Dakota": "ND", "Ohio": "OH", "Oklahoma": "OK", "Oregon": "OR", "Pennsylvania": "PA",
    "Rhode Island": "RI", "South Carolina": "SC", "South Dakota": "SD", "Tennessee": "TN",
    "Texas": "TX", "Utah": "UT", "Vermont": "VT", "Virginia": "VA", "Washington D.C.": "DC",
    "Washington State": "WA", "West Virginia": "WV", "Wisconsin": "WI", "Wyoming": "WY",
}  # fmt: skip


def a_number_in(area_code: str) -> PhoneNumber:
    """Some number of an area code."""
    return PhoneNumber(country_code=1, national_number=int(f"{area_code}2345678"))


def of_the_states() -> Iterator[str]:
    """The area codes of the United States that lie somewhere."""
    for area_code in AREA_CODES:
        number = a_number_in(area_code)
        if (
            phonenumbers.region_code_for_number(number) == "US"
            and phonenumbers.number_type(number) == PhoneNumberType.FIXED_LINE_OR_MOBILE
        ):
            yield area_code


def table() -> str:
    """The file as the installed library has it.

    KeyError when it names a state in a new way, ValueError when an area code has several.
    """
    from phonenumbers.geodata import GEOCODE_DATA  # a quarter of a million prefixes

    within: dict[str, set[str]] = {}
    for prefix, names in GEOCODE_DATA.items():
        if prefix.startswith("1") and "en" in names:
            within.setdefault(prefix[1:4], set()).add(names["en"])
    rows = []
    for area_code in of_the_states():
        whole = GEOCODE_DATA.get(f"1{area_code}", {}).get("en")
        (state,) = {_state(name) for name in ({whole} if whole else within[area_code])}
        rows.append(f"{area_code},US-{state}\n")
    return "".join(("area_code,regions\n", *rows))


def _state(name: str) -> str:
    """The code of a state from its name, or from that of a city with the state's code."""
    code = name.rpartition(", ")[2]
    return code if code in STATES.values() else STATES[code]


if __name__ == "__main__":
    sys.stdout.write(table())

"""What is said of a value that cannot be used."""

from collections.abc import Mapping
from typing import Any

import pytest

from dialer.value_words import refusal


def fault(kind: str, msg: str = "Input should be something", **bounds: object) -> Mapping[str, Any]:
    return {"type": kind, "msg": msg, "ctx": bounds}


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (fault("int_parsing"), "'x' is not a whole number"),
        (fault("bool_parsing"), "'x' is neither yes nor no"),
        (fault("greater_than_equal", ge=1), "'x' is not 1 or more"),
        (fault("less_than_equal", le=65535), "'x' is not 65535 or less"),
        (fault("greater_than", gt=0), "'x' is not more than 0"),
        (
            fault("string_pattern_mismatch", pattern="^(auto|json|text)$"),
            "'x' is not one of auto, json, text",
        ),
        (
            fault("string_pattern_mismatch", pattern="^(google|deepgram)?$"),
            "'x' is not one of google, deepgram, or empty",
        ),
        (
            fault("string_pattern_mismatch", pattern="^[A-Z]{2}$"),
            "'x' is not two capital letters, as in US",
        ),
        (fault("string_pattern_mismatch", pattern="^a+$"), "'x' is not of the form ^a+$"),
        (fault("value_error", "Value error, 'x' is no zone"), "'x' is no zone"),
    ],
)
def test_a_refusal_says_what_the_value_is_not(refused: Mapping[str, Any], words: str) -> None:
    assert refusal(refused, "'x'") == words


def test_a_secret_is_not_told() -> None:
    assert refusal({"type": "string_type", "msg": "", "input": "s3cret"}) == "it is not a text"

"""One setting changes in a file of settings; whatever else stands there stays."""

import tomllib
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.config_file import Scalar, as_toml, assign, remove

FILE: Final = '''\
# Our deployment.

port = 8090    # behind the proxy # always
incoming_message = """Thank you.
port = 1 # not a setting
"""  # greeting
numbers = [
    1,  # one
    2,
]
"host" = "::1"

# The end.
'''
NAMES: Final = st.from_regex("[a-z][a-z_]{0,8}", fullmatch=True)
TEXTS: Final = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES: Final = st.one_of(
    TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)
)
#: What a line of a file may end with.
REMARKS: Final = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8)


@st.composite
def files(draw: st.DrawFn) -> str:
    """A readable file: keys, comments and blank lines, maybe a table."""
    lines = []
    for name, value in draw(st.dictionaries(NAMES, VALUES, max_size=4)).items():
        lines += draw(st.sampled_from([[], [""], [f"# {draw(REMARKS)}"]]))
        lines.append(f"{name} = {as_toml(value)}{draw(st.sampled_from(['', f' # {name}']))}")
    lines += draw(st.sampled_from([[], ["", "[table]", "x = 1"]]))
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    return ending.join(lines) + draw(st.sampled_from(["", ending]))


def test_a_value_is_changed_in_its_place_and_keeps_its_comment() -> None:
    changed = assign(FILE, "port", 9000)

    assert changed == FILE.replace("port = 8090", "port = 9000")


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("numbers", "numbers = [\n    1,  # one\n    2,\n]\n"),
        ("host", '"host" = "::1"\n'),
    ],
)
def test_a_statement_of_several_lines_goes_as_a_whole(name: str, gone: str) -> None:
    assert remove(FILE, name) == FILE.replace(gone, "")


def test_the_comment_after_a_text_of_several_lines_is_kept() -> None:
    changed = assign(FILE, "incoming_message", "Hello # there")

    assert 'incoming_message = "Hello # there"  # greeting\n' in changed


def test_a_new_key_stands_after_the_others_and_above_the_tables() -> None:
    assert assign(FILE, "new", "x").endswith('"host" = "::1"\nnew = "x"\n\n# The end.\n')
    assert assign("# empty\n\n[table]\n", "new", 1) == "# empty\n\nnew = 1\n[table]\n"
    assert assign("a = 1", "new", 2) == "a = 1\nnew = 2\n"
    assert assign("", "new", 2) == "new = 2\n"


def test_a_separator_that_is_none_in_toml_stays_part_of_its_comment() -> None:
    text = "# see\u2028port = 1\n"

    assert assign(text, "port", 2) == f"{text}port = 2\n"


@given(files(), NAMES, VALUES)
def test_only_what_is_set_changes(text: str, name: str, value: Scalar) -> None:
    changed = assign(text, name, value)

    assert tomllib.loads(changed) == tomllib.loads(text) | {name: value}
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert [line for line in changed.splitlines() if line.startswith("#")] == comments
    assert assign(changed, name, value) == changed


@given(files(), NAMES, VALUES)
def test_what_was_set_can_be_taken_back(text: str, name: str, value: Scalar) -> None:
    left = remove(assign(text, name, value), name)

    assert tomllib.loads(left) == {k: v for k, v in tomllib.loads(text).items() if k != name}
    assert remove(left, name) == left

"""`dialer amd evaluate --texts`, as an operator runs it."""

from pathlib import Path

import pytest

from tests.support.cli import Cli

HEADER = "label,lang,text\n"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def given(cli: Cli, data: str | bytes) -> Path:
    path = cli.folder / "texts.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_texts_are_judged_word_by_word(cli: Cli) -> None:
    rows = "human,en,hello who is this\nmachine,en,leave a message after the tone please\n"
    path = given(cli, f"{HEADER}{rows}machine,de,guten tag\n")

    figures = cli.here("amd", "evaluate", "--texts", str(path), "--json", "--errors").ok().json

    assert (figures["human"], figures["machine"]) == (1, 2)
    assert figures["false_machine"]["hits"] == 0
    assert figures["recall"]["hits"] == 1
    assert figures["recall"]["low"] < 0.5 < figures["recall"]["high"]
    assert figures["words_to_machine"]["p50"] <= 6
    assert set(figures["per_language"]) == {"de", "en"}
    assert set(figures["per_label"]) == {"human", "machine"}
    assert [(each["row"], each["text"]) for each in figures["errors"]] == [(4, "guten tag")]


def test_a_person_reads_a_table_and_the_errors(cli: Cli) -> None:
    path = given(cli, f"{HEADER}machine,en,good day\n")

    done = cli.here("amd", "evaluate", "--texts", str(path), "--errors").ok()

    assert done.out.startswith("all\t1\t")
    assert "row 2: machine en: good day" in done.err


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "is empty"),
        (HEADER, "no rows"),
        ("label,lang\nhuman,en\n", "no column 'text'"),
        (f"{HEADER}robot,en,hello\n", "row 2 has the label 'robot'; use human or machine"),
        (f"{HEADER}human,en,\n", "row 2 has no text"),
        ((HEADER + "human,de,gr\u00fc\u00df gott\n").encode("cp1252"), "line 2 is not UTF-8"),
        (f'{HEADER}human,en,"never ends\n', "is not CSV"),
        (b"SQLite format 3\0", "is not a text file"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_error(cli: Cli, data: str | bytes, words: str) -> None:
    done = cli.here("amd", "evaluate", "--texts", str(given(cli, data)))

    assert done.code == 2
    assert words in done.err
    assert done.out == ""


def test_a_file_that_is_not_there_and_none_at_all(cli: Cli) -> None:
    assert cli.here("amd", "evaluate", "--texts", "nowhere.csv").code == 3
    assert cli.here("amd", "evaluate").code == 2

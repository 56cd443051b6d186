"""What cannot be used is said in one line that names the value and a way out; nothing changes.

Four kinds: files, flags and values, states, the environment. Every case is a whole command line.
"""

import codecs
import io
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.support.cli import Cli

PHONE: Final = "+16465550100"
PERSON: Final = "+12025550101"


class Case(NamedTuple):
    """A command line, its exit code, and words its error must have."""

    words: tuple[str, ...]
    code: int
    named: str  # the value that is wrong
    cure: str = ""  # part of the way out, where one line says so


# -- files ----------------------------------------------------------------------------------------


def _workbook_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 300_000_000)
    return file.getvalue()


def _broken_workbook() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("hello.txt", b"no workbook")
    return file.getvalue()


FILES: Final[Mapping[str, bytes | Callable[[], bytes]]] = {
    "empty.csv": b"",
    "blank.csv": b" \n\n  \n",
    "binary.csv": bytes(range(256)) * 64,
    "nul.csv": b"phone\n+1202\x005550101\n",
    "nophone.csv": b"first,second\nAda,Byron\n",
    "utf16cut.csv": codecs.BOM_UTF16_LE + "phone\n+12025550101\n".encode("utf-16-le")[:-1],
    "broken.xlsx": _broken_workbook,
    "bomb.xlsx": _workbook_bomb,
    "old.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4096,
    "notzip.xlsx": b"PK\x03\x04 and then nothing",
    "people.csv": f"phone\n{PERSON}\n".encode(),
    "badzone.csv": b"phone,zone\n+12025550101,Mars/Olympus\n",
    "broken.toml": b"call_interval = ",
    "unknown.toml": b"call_intervall = '5s'\n",
    "range.toml": b"max_concurrent = 0\nsay = 'Hi'\nnumbers = '+16465550100'\n",
    "latin.toml": "notes = 'Büro'".encode("cp1252"),
    "night.toml": b"zone = 'UTC'\nweekly = 'mon 9-25'\n",
    "nozone.toml": b"weekly = 'mon 9-12'\n",
    "nodate.csv": b"what,label\nx,y\n",
}
BAD_FILES: Final = (
    Case(("contacts", "import", "empty.csv"), 2, "empty.csv"),
    Case(("contacts", "import", "blank.csv"), 2, "blank.csv"),
    Case(("contacts", "import", "binary.csv"), 2, "binary.csv"),
    Case(("contacts", "import", "nul.csv"), 2, "nul.csv", "UTF-8"),
    Case(("contacts", "import", "nophone.csv"), 2, "first", "--map"),
    Case(("contacts", "import", "utf16cut.csv"), 2, "utf16cut.csv"),
    Case(("contacts", "import", "broken.xlsx"), 2, "broken.xlsx"),
    Case(("contacts", "import", "bomb.xlsx"), 2, "bomb.xlsx"),
    Case(("contacts", "import", "old.xls"), 2, "old.xls"),
    Case(("contacts", "import", "notzip.xlsx"), 2, "notzip.xlsx"),
    Case(("contacts", "import", "missing.csv"), 2, "missing.csv"),
    Case(("contacts", "import", "."), 2, "folder"),
    Case(("contacts", "import", "people.csv", "--encoding", "klingon"), 2, "'klingon'", "utf-8"),
    Case(("contacts", "import", "people.csv", "--map", "phone=Telefon"), 2, "'Telefon'"),
    Case(("contacts", "import", "people.csv", "--map", "phone"), 2, "phone", "="),
    Case(("contacts", "import", "people.csv", "--region", "XX"), 2, "'XX'"),
    Case(("contacts", "import", "people.csv", "-c", "Nobody"), 3, "'Nobody'", "campaign list"),
    Case(("contacts", "import", "people.csv", "--rejects", "dialer.db"), 2, "dialer.db"),
    Case(("contacts", "import", "people.csv", "--rejects", "no/where.csv"), 2, "no/where.csv"),
    Case(("dnc", "import", "nophone.csv"), 2, "first"),
    Case(("dnc", "import", "missing.csv"), 2, "missing.csv"),
    Case(("campaign", "create", "May", "-f", "broken.toml"), 2, "broken.toml"),
    Case(("campaign", "create", "May", "-f", "unknown.toml"), 2, "'call_intervall'", "mean"),
    Case(("campaign", "create", "May", "-f", "range.toml"), 2, "max concurrent: 0", "1 and"),
    Case(("campaign", "create", "May", "-f", "latin.toml"), 2, "latin.toml", "UTF-8"),
    Case(("schedule", "create", "-f", "night.toml"), 2, "'25'"),
    Case(("schedule", "create", "-f", "nozone.toml"), 2, "zone"),
    Case(("holidays", "import", "nodate.csv", "--into", "Ours"), 2, "nodate.csv"),
    Case(("contacts", "export", "dialer.db"), 2, "dialer.db"),
    Case(("contacts", "export", "no/where.csv"), 2, "no/where.csv"),
    Case(("contacts", "export", "people.docx"), 2, "docx", "xlsx"),
    Case(("db", "restore", "people.csv", "--yes"), 2, "people.csv"),
    Case(("db", "restore", "missing.db", "--yes"), 3, "missing.db"),
)  # fmt: skip

# -- flags and values -----------------------------------------------------------------------------

BAD_VALUES: Final = (
    Case(("campain", "list"), 2, "'campain'", "campaign"),
    Case(("campaign", "lst"), 2, "'lst'", "list"),
    Case(("campaign", "list", "--jsno"), 2, "--jsno"),
    Case(("campaign", "list", "-o", "yaml"), 2, "yaml", "json"),
    Case(("campaign", "list", "--where", "state"), 2, "'state'", "FIELD=VALUE"),
    Case(("campaign", "list", "--where", "stat=draft"), 2, "'stat'", "status"),
    Case(("campaign", "list", "--sort", "size"), 2, "'size'"),
    Case(("campaign", "list", "--columns", "id,colour"), 2, "'colour'"),
    Case(("campaign", "list", "--cursor", "99"), 2, "'99'"),
    Case(("campaign", "list", "--limit", "-1"), 2, "-1"),
    Case(("dnc", "list", "--tz", "Mars/Olympus"), 2, "'Mars/Olympus'"),
    Case(("campaign", "start"), 2, "name", "--help"),
    Case(("campaign", "create", " ", "--number", PHONE, "--say", "x"), 2, "needs a name"),
    Case(("campaign", "create", "12", "--number", PHONE, "--say", "x"), 2, "'12'", "letter"),
    Case(("campaign", "create", "May", "--number", "+19995550", "--say", "x"), 3, "+19995550"),
    Case(("campaign", "create", "May", "--number", f"{PHONE}=x", "--say", "x"), 2, "'x'"),
    Case(("campaign", "create", "May", "--number", f"{PHONE}=0", "--say", "x"), 2, "weight: 0"),
    Case(("campaign", "create", "May", "--number", PHONE), 2, "--agent", "--say"),
    Case(("campaign", "create", "May", "--number", PHONE, "--agent", "Bo"), 3, "'Bo'", "agents"),
    Case(("campaign", "edit", "Renewals", "--set", "call_interval=soon"), 2, "'soon'", "30s"),
    Case(("campaign", "edit", "Renewals", "--set", "retries=11"), 2, "11"),
    Case(("campaign", "edit", "Renewals", "--set", "ring_timeout=3s"), 2, "3", "5 and 120"),
    Case(("campaign", "edit", "Renewals", "--set", "start_at=2026-03-02T09:00"), 2, "offset", "Z"),
    Case(("campaign", "edit", "Renewals", "--set", "retry_rule=busi=5m"), 2, "'busi'", "busy"),
    Case(("contacts", "add", "555"), 2, "'555'"),
    Case(("contacts", "add", PERSON, "--zone", "Berlin"), 2, "'Berlin'", "Europe/Berlin"),
    Case(("contacts", "show", "+12025550199"), 3, "+12025550199", "contacts list"),
    Case(("numbers", "add", "12"), 2, "'12'"),
    Case(("numbers", "add", PHONE), 2, PHONE, "numbers list"),
    Case(("numbers", "score", PHONE, "11"), 2, "11", "0 and 10"),
    Case(("numbers", "score", PHONE, "bad"), 2, "bad"),
    Case(("schedule", "create", "X", "--hours", "moon 9-17"), 2, "'moon'"),
    Case(("schedule", "create", "X", "--hours", "mon 17-9:99"), 2, "9:99"),
    Case(("schedule", "create", "X", "--hours", "mon 9-17", "--zone", "Berlin"), 2, "'Berlin'"),
    Case(("schedule", "check", "Offce"), 3, "'Offce'", "Office"),
    Case(("holidays", "show", "XX"), 2, "'XX'", "as in 'DE'"),
    Case(("dnc", "add", "nobody"), 2, "'nobody'"),
    Case(("explain", "999"), 3, "999"),
    Case(("forecast", "Renewals", "--set", "speed=2"), 2, "'speed'"),
    Case(("calls", "hangup", "CA1"), 3, "'CA1'", "calls list"),
    Case(("rules", "show", "XX-YY"), 3, "XX-YY"),
    Case(("imports", "show", "99"), 3, "99"),
    Case(("exports", "show", "99"), 3, "99"),
    Case(("jobs", "show", "99"), 3, "99"),
    Case(("config", "get", "prt"), 3, "'prt'", "port"),
    Case(("config", "set", "port", "many"), 2, "many"),
)  # fmt: skip

# -- states ---------------------------------------------------------------------------------------

BAD_STATES: Final = (
    Case(("campaign", "start", "Renewals"), 5, "'Renewals'", "contacts import"),
    Case(("campaign", "pause", "Renewals"), 5, "draft"),
    Case(("campaign", "resume", "Renewals"), 5, "draft", "campaign start"),
    Case(("campaign", "start", "Gone"), 5, "cancelled"),
    Case(("campaign", "cancel", "Gone", "--yes"), 5, "cancelled"),
    Case(("campaign", "edit", "Gone", "--set", "retries=1"), 5, "cancelled", "clone"),
    Case(("contacts", "import", "people.csv", "-c", "Gone"), 5, "cancelled"),
    Case(("contacts", "add", PERSON, "-c", "Gone"), 5, "cancelled"),
    Case(("campaign", "cancel", "Renewals"), 2, "'Renewals'", "--yes"),
    Case(("campaign", "delete", "Renewals"), 2, "'Renewals'", "--yes"),
    Case(("schedule", "delete", "Office", "--yes"), 5, "'Renewals'", "campaign edit"),
    Case(("numbers", "remove", PHONE, "--yes"), 5, "'Renewals'", "exclude"),
    Case(("agents", "remove", "Renewals", "--yes"), 5, "'Renewals'", "campaign edit"),
    Case(("dnc", "remove", PERSON, "--yes"), 3, PERSON),
    Case(("rules", "on", "US"), 5, "US"),
    Case(("campaign", "watch", "Nobody", "--once"), 3, "'Nobody'", "campaign list"),
)  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a draft, a cancelled campaign, and every file."""
    folder = tmp_path_factory.mktemp("prepared")
    dialer = Cli(folder)
    dialer.here("numbers", "add", PHONE).ok()
    dialer.here("schedule", "create", "Office", "--hours", "mon-fri 09:00-17:00").ok()
    for name in ("Renewals", "Gone"):
        dialer.here(
            "campaign", "create", name, "--number", PHONE, "--schedule", "Office", "--say", "Hi"
        ).ok()
    dialer.here("campaign", "cancel", "Gone", "--yes").ok()
    for name, content in FILES.items():
        (folder / name).write_bytes(content() if callable(content) else content)
    return folder


@pytest.mark.parametrize(
    "case", [*BAD_FILES, *BAD_VALUES, *BAD_STATES], ids=lambda case: " ".join(case.words)
)
def test_what_cannot_be_used_is_named_with_a_way_out(prepared: Path, case: Case) -> None:
    before = everything(prepared)
    done = Cli(prepared).here(*case.words)

    check_error(done.code, done.out, done.err, case)
    assert everything(prepared) == before


# -- the environment ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "words", "code", "named"),
    [
        ({"DIALER_PROT": "1"}, ("campaign", "list"), 2, "did you mean 'DIALER_PORT'"),
        ({"DIALER_PORT": "many"}, ("campaign", "list"), 2, "DIALER_PORT"),
        ({"DIALER_DEFAULT_REGION": "usa"}, ("campaign", "list"), 2, "usa"),
        ({"DIALER_DEFAULT_ZONE": "Mars"}, ("numbers", "add", "+18005550123"), 2, "'Mars'"),
        ({"DIALER_CONFIG": "none.toml"}, ("campaign", "list"), 2, "none.toml"),
        ({"DIALER_CONFIG": "broken.toml"}, ("campaign", "list"), 2, "broken.toml"),
        ({"DIALER_CONFIG": "unknown.toml"}, ("campaign", "list"), 2, "call_intervall"),
        ({"DIALER_DATABASE": "people.csv"}, ("campaign", "list"), 1, "people.csv"),
        ({"DIALER_DATABASE": "none.db"}, ("campaign", "list"), 3, "none.db"),
        ({"DIALER_DATABASE": "no/where.db"}, ("campaign", "list"), 3, "no/where.db"),
        ({"DIALER_DATABASE": "mysql://x/y"}, ("campaign", "list"), 2, "mysql"),
        (
            {"DIALER_DATABASE": "postgresql://nobody@127.0.0.1:1/none"},
            ("campaign", "list"),
            6,
            "127.0.0.1",
        ),
        ({"DIALER_RETAIN_CALLS_DAYS": "3"}, ("campaign", "list"), 2, "30"),
        ({"DIALER_PRE_DIAL_CHECK": "maybe"}, ("campaign", "list"), 2, "command:"),
        ({"DIALER_PUBLIC_URL": "dial.example.org"}, ("campaign", "list"), 2, "dial.example.org"),
        ({"DIALER_TIME_SCALE": "fast"}, ("campaign", "list"), 2, "fast"),
        ({}, ("numbers", "sync"), 4, "DIALER_TWILIO_ACCOUNT_SID"),
        ({}, ("run",), 4, "DIALER_TWILIO_ACCOUNT_SID"),
    ],
)
def test_what_is_wrong_around_a_command_is_named(
    prepared: Path, variables: dict[str, str], words: tuple[str, ...], code: int, named: str
) -> None:
    before = everything(prepared)
    done = Cli(prepared, variables).here(*words)

    check_error(done.code, done.out, done.err, Case(words, code, named))
    assert everything(prepared) == before


def test_there_are_enough_of_them() -> None:
    assert len({*BAD_FILES, *BAD_VALUES, *BAD_STATES}) >= 60


def check_error(code: int, out: str, err: str, case: Case) -> None:
    """One line says what is wrong, at most one more what to do; data is nowhere."""
    lines = [line for line in err.splitlines() if not line.startswith("note:")]
    assert code == case.code, err
    assert out == ""
    assert "Traceback" not in err
    assert lines[0].startswith("error: "), err
    assert case.named in lines[0], err
    assert case.cure in err
    assert [line[:5] for line in lines[1:]] in ([], ["next:"]), err


def everything(folder: Path) -> Mapping[str, Any]:
    """Every row of the database and every other file of a folder."""
    with closing(sqlite3.connect(folder / "dialer.db")) as connection:
        rows = "\n".join(connection.iterdump())
    files = {
        path.name: path.read_bytes() if path.stat().st_size < 10_000 else path.stat().st_size
        for path in folder.iterdir()
        if not path.name.startswith("dialer.db")
    }
    return {"rows": rows, **files}

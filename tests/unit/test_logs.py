"""Logs are for reading: no phone number is in them, and whether they can be written decides about
nothing else.
"""

import io
import json
import logging
import stat
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from dialer import logs
from dialer.errors import UnreachableError
from tests.support.cli import ROOT

PHONE = "+12025550143"
NATIONAL = "2025550143"
WRITTEN = (
    PHONE,
    "+1 202 555 0143",
    "+1-202-555-0143",
    "+1 (202) 555-0143",
    "12025550143",
    NATIONAL,
    "(202) 555-0143",
    "202-555-0143",
    "%2B12025550143",
    "%2b12025550143",
)


@pytest.fixture(autouse=True)
def configured_as_before() -> Iterator[None]:
    before, root = structlog.get_config(), logging.getLogger()
    handlers = root.handlers[:]
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    structlog.configure(**before)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers


@pytest.fixture(params=["json", "text"])
def logged(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Gives what has been logged, in either format."""
    logs.configure(request.param, "info")
    return lambda: capsys.readouterr().err


def digits(text: str) -> str:
    return "".join(each for each in text if each.isdigit())


def shows_a_number(text: str) -> bool:
    """Whether the number stands in *text*, with whatever between its digits."""
    return NATIONAL in digits(text)


class Full(io.StringIO):
    """A file on a disk that has no room, until it has."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(ENOSPC, "No space left on device")
        return super().write(text)

    def flush(self) -> None:
        if self.full:
            raise OSError(ENOSPC, "No space left on device")


def test_what_cannot_be_written_is_lost_and_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Full()
    monkeypatch.setattr(sys, "stderr", disk)
    logs.configure("json", "info")

    structlog.get_logger().info("call.ended")
    disk.full = False
    structlog.get_logger().info("call.ended", phone="+15551234567")

    assert json.loads(disk.getvalue())["phone"] == "+1555***567"


# -- phone numbers ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    """A record that shows its values when it is printed."""

    to: str


@pytest.mark.parametrize("number", WRITTEN)
@pytest.mark.parametrize(
    "wrapped",
    [
        lambda number: number,
        lambda number: f"refused: the number {number} is not valid",
        lambda number: f"https://dial.example.org/twilio?To={number}&From=x",
        lambda number: ValueError(f"no such number: {number}"),
        lambda number: [ValueError(number), "ok"],
        lambda number: {"to": {"numbers": [number]}},
        lambda number: {number: 1},
        lambda number: (Order(number),),
        lambda number: frozenset([number]),
        lambda number: number.encode(),
    ],
)
def test_a_number_is_masked_wherever_it_stands(
    logged: Callable[[], str], number: str, wrapped: Callable[[str], Any]
) -> None:
    structlog.get_logger().warning("call.odd", what=wrapped(number))

    text = logged()
    assert "call.odd" in text
    assert not shows_a_number(text)


@pytest.mark.parametrize("field", ["to", "from_", "from", "phone", "callee", "caller_id", "number"])
@pytest.mark.parametrize("value", [12_025_550_143, "2025 550143", "20 25 55 01 43", "5550143"])
def test_a_field_of_numbers_hides_them_in_any_notation(
    logged: Callable[[], str], field: str, value: object
) -> None:
    structlog.get_logger().info("call.odd", **{field: value})

    text = logged()
    assert digits(str(value)) not in digits(text)
    assert "5550143" not in digits(text)


def test_facts_that_are_no_numbers_stay(logged: Callable[[], str]) -> None:
    facts: dict[str, Any] = {
        "attempt": "019a7f3c2d1e4b5a6978", "sid": "CA0123456789abcdef0123456789abcdef",
        "until_at": 1_793_273_231_000, "campaign": 7, "talk_s": 12.5, "why": "closed until 09:00",
        "number": 17, "day": "2026-11-22", "live": True, "reason": None,
    }  # fmt: skip

    structlog.get_logger().info("call.ended", **facts)

    text = logged()
    for value in facts.values():
        said = json.dumps(value) if not isinstance(value, str) else value
        assert said in text or str(value) in text


@given(st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True), st.text(max_size=20))
def test_no_international_number_survives_in_any_text(number: str, around: str) -> None:
    shown = logs.masked({"why": f"{around} {number} {around}", "errors": [[number]]})

    assert number not in str(shown)
    assert number[1:] not in str(shown)


def test_tracebacks_show_neither_the_number_nor_values_of_variables(
    logged: Callable[[], str],
) -> None:
    callee = PHONE

    try:
        raise LookupError(f"nobody at {callee}")
    except LookupError:
        structlog.get_logger().exception("launch.defect")

    text = logged()
    assert "LookupError" in text
    assert not shows_a_number(text)


def test_what_libraries_log_takes_the_same_way(logged: Callable[[], str]) -> None:
    logging.getLogger("uvicorn.error").error("Exception at To=%%2B%s", PHONE[1:])
    try:
        raise ValueError(PHONE)
    except ValueError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved")
    logging.getLogger("aiohttp").info("nothing to worry about %s", PHONE)
    with warnings.catch_warnings(action="always"):
        warnings.warn(f"odd number {PHONE}", stacklevel=1)

    text = logged()
    assert all(word in text for word in ("uvicorn.error", "never retrieved", "odd number"))
    assert "nothing to worry about" not in text
    assert not shows_a_number(text)


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize(
    "death",
    [
        "raise ValueError(PHONE)",
        "thread = threading.Thread(target=lambda: int(PHONE + 'x')); thread.start(); thread.join()",
        "class Odd:\n    def __del__(self): raise ValueError(PHONE)\nOdd()",
        "asyncio.run(broken())",
        "logging.getLogger('x').error('ValueError %d', PHONE)",  # that do not fit
    ],
)
def test_the_last_words_of_a_process_hold_no_number(log_format: str, death: str) -> None:
    script = (
        "import asyncio, logging, threading\nfrom dialer import logs\n"
        f"PHONE = {PHONE!r}\nlogs.configure({log_format!r}, 'info')\n"
        "async def broken():\n"
        "    asyncio.get_running_loop().call_soon(lambda: int(PHONE + 'x'))\n"
        "    await asyncio.sleep(0)\n"
        f"{death}\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert "ValueError" in done.stderr
    assert not shows_a_number(done.stderr + done.stdout)


# -- secrets, and people ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://dialer:{}@db.example.com/dialer",
        "Authorization: Basic {}",
        "authorization=Bearer {}",
        '{{"auth_token": "{}"}}',
        "twilio_auth_token={}&x=1",
        "password: {}",
        "api-key={}",
    ],
)
def test_what_looks_like_a_secret_is_hidden(logged: Callable[[], str], text: str) -> None:
    structlog.get_logger().warning("library.said", text=text.format("Xa91kq0ZpB37"))

    assert "Xa91kq0ZpB37" not in logged()


@pytest.mark.parametrize(
    "text",
    [
        "no valid token",
        "https://dialer.example.com:8090/readyz",
        "the token is not right",
        "the secret of the key",
    ],
)
def test_words_about_secrets_are_none(logged: Callable[[], str], text: str) -> None:
    structlog.get_logger().warning("library.said", text=text)

    assert text in logged()


def test_secrets_that_are_read_later_are_hidden_beside_the_first(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "told.log"
    logs.configure("text", "info", file=file, secrets=["firstsecret"])
    logger = structlog.get_logger()
    logger.info("before", text="a firstsecret")  # and the logger is made

    logs.hide(["secondsecret"])
    logger.info("after", text="a firstsecret and a secondsecret")

    said = capsys.readouterr().err + file.read_text()
    assert said.count("after") == 2
    assert [secret for secret in ("firstsecret", "secondsecret") if secret in said] == []


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_the_secrets_of_the_settings_are_in_no_line(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = ('pa"ss wörd', "plainsecret")
    logs.configure(log_format, "info", secrets=[*secrets, "a", ""])

    for secret in secrets:
        structlog.get_logger().error("job.failed", error=f"it says {secret} there")
    try:
        raise ValueError(f"no {secrets[1]}")
    except ValueError:
        structlog.get_logger().exception("health.unknown")

    said = capsys.readouterr().err
    assert [secret for secret in secrets if secret in said] == []
    assert "health.unknown" in said
    assert "ss w" not in said


def test_what_is_known_of_a_person_is_left_out(logged: Callable[[], str]) -> None:
    structlog.get_logger().info(
        "call.odd", contact_name="Ann Example", email="ann@example.com", contact=88,
        variables={"city": "Springfield"}, tags=["vip"], to=None,
    )  # fmt: skip

    text = logged()
    assert [word for word in ("Ann", "ann@", "Springfield", "vip") if word in text] == []
    assert "88" in text


# -- the file --------------------------------------------------------------------------------------


def test_a_file_gets_every_line_as_json_and_is_its_owners_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "dialer.log"
    logs.configure("text", "info", file=file, secrets=["plainsecret"])

    structlog.get_logger().info("call.ended", to=PHONE, why="plainsecret")
    structlog.get_logger().debug("call.ended")

    (line,) = file.read_text().splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["to"], entry["why"]) == ("call.ended", "+1202***143", "***")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "call.ended" in capsys.readouterr().err


def test_a_file_that_is_full_gives_way_to_a_new_one(tmp_path: Path) -> None:
    file = tmp_path / "dialer.log"
    logs.configure("json", "info", file=file, file_mb=1)

    for _ in range(7):
        for _ in range(100):
            structlog.get_logger().info("library.said", text="x" * 10_000)

    files = sorted(tmp_path.iterdir())
    assert [each.name for each in files] == [
        "dialer.log", "dialer.log.1", "dialer.log.2", "dialer.log.3", "dialer.log.4",
    ]  # fmt: skip
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    assert all(each.stat().st_size <= 1_000_000 for each in files)


def test_a_file_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="log file"):
        logs.configure("json", "info", file=tmp_path / "nowhere" / "dialer.log")


def test_a_file_whose_disk_is_full_keeps_nobody_from_working(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("json", "info", file=tmp_path / "dialer.log")

    def refuse(*_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(logging.StreamHandler, "flush", refuse)
    structlog.get_logger().info("call.ended")

    assert json.loads(capsys.readouterr().err)["event"] == "call.ended"


def test_a_command_keeps_its_data_clean(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure_command("json")

    structlog.get_logger().info("purge.done")
    structlog.get_logger().warning("campaign.unreadable", error=PHONE)

    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["error"] == "+1202***143"

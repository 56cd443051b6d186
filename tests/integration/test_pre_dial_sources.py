"""Checks as operators write them: a real process, a real web service, an installed function."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dialer.errors import UnreachableError, UsageError
from dialer.ports import Later, MayCall, Never, PreDialAnswer, PreDialQuestion
from dialer.pre_dial import opening
from dialer.pre_dial.messages import LATER_S, MAX_BYTES, question_bytes
from tests.support.cli import ROOT, Cli
from tests.support.engine import NOW, SECOND, SetClock
from tests.unit.test_pre_dial import QUESTION

#: Long enough for a process on a busy machine; nothing waits for it when all is well.
WITHIN_S: Final = 20.0
ACCOUNT: Final = {
    "DIALER_TWILIO_ACCOUNT_SID": "AC55555555555555555555555555555555",
    "DIALER_TWILIO_AUTH_TOKEN": "55555555555555555555555555555555",
    "DIALER_PUBLIC_URL": "http://127.0.0.1:8090",
}


def given_program(folder: Path, code: str) -> str:
    """The setting for a program of these lines of Python, which know ``question``."""
    program = folder / "check"
    head = f"#!{sys.executable}\nimport json, os, sys, time\nquestion = sys.stdin.read()\n"
    program.write_text(head + code)
    program.chmod(0o755)
    return f"command:{program} --strict"


async def ask(setting: str, *, secret: str = "", **options: Any) -> PreDialAnswer:
    async with opening.opened(setting, SetClock(), secret=secret, **options) as check:
        assert check is not None
        async with asyncio.timeout(WITHIN_S):
            return await check(QUESTION)


async def trouble(setting: str) -> str:
    with pytest.raises(UnreachableError) as raised:
        await ask(setting)
    return raised.value.message


async def test_without_a_setting_there_is_no_check() -> None:
    async with opening.opened("", SetClock()) as check:
        assert check is None


# -- a command -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("", MayCall()),
        ("print()", MayCall()),
        ("print(json.dumps({'answer': 'never', 'reason': 'sued'}))", Never("sued")),
        ("print('sued\\nus'); sys.exit(77)", Never("sued us")),
        ("sys.exit(75)", Later(NOW + int(LATER_S) * SECOND)),
        ("print(json.dumps({'answer': 'later', 'after_s': 60}))", Later(NOW + 60 * SECOND)),
        ("print(json.dumps({'answer': 'never', 'reason': sys.argv[1]}))", Never("--strict")),
        ("json.loads(question)['phone'] == '+12025550101' or sys.exit(1)", MayCall()),
        ("sys.exit(77 if any(n.startswith('DIALER_') for n in os.environ) else 0)", MayCall()),
        ("sys.stderr.write('x' * 1_000_000)", MayCall()),
    ],
)
async def test_a_command_answers_by_its_output_and_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, answer: PreDialAnswer
) -> None:
    monkeypatch.setenv("DIALER_TWILIO_AUTH_TOKEN", "secret")

    assert await ask(given_program(tmp_path, code)) == answer


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise OSError('no such list')", "the check exited 1: OSError: no such list"),
        ("sys.exit(3)", "the check exited 3"),
        ("print('yes')", "not an answer: body"),
        ("os.kill(os.getpid(), 9)", "the check exited -9"),
    ],
)
async def test_a_command_that_fails_has_not_answered(tmp_path: Path, code: str, words: str) -> None:
    assert words in await trouble(given_program(tmp_path, code))


async def test_a_command_that_does_not_read_may_answer_all_the_same(tmp_path: Path) -> None:
    program = tmp_path / "check"
    program.write_text("#!/bin/sh\nexec 0<&-\nexit 77\n")
    program.chmod(0o755)

    assert await ask(f"command:{program}") == Never()


async def test_a_command_nobody_waits_for_is_killed_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    code = (
        "child = os.fork()\n"
        f"child and open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child}}')\n"
        "time.sleep(600)"
    )

    async with opening.opened(given_program(tmp_path, code), SetClock()) as check:
        assert check is not None
        async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as group:
            asking = group.create_task(check(QUESTION))
            both = [int(pid) for pid in (await asyncio.to_thread(pids.read_text)).split()]
            asking.cancel()

    assert len(both) == 2
    async with asyncio.timeout(WITHIN_S):
        while any(_runs(pid) for pid in both):  # noqa: ASYNC110  the dead tell nobody
            await asyncio.sleep(0.01)


async def test_a_child_that_a_command_leaves_behind_neither_holds_it_up_nor_goes_on(
    tmp_path: Path,
) -> None:
    left = tmp_path / "left"
    code = (
        "child = os.fork()\n"
        "child or time.sleep(600)\n"
        f"open({str(left)!r}, 'w').write(str(child))\n"
        "print('sued us')\n"
        "sys.exit(77)"
    )

    assert await ask(given_program(tmp_path, code)) == Never("sued us")

    async with asyncio.timeout(WITHIN_S):
        while _runs(int(left.read_text())):  # noqa: ASYNC110  the dead tell nobody
            await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    """Whether a process goes on; one that is only waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("program", ["/no/such/check", "no-such-check-anywhere"])
async def test_a_daemon_does_not_start_with_a_command_that_is_none(program: str) -> None:
    with pytest.raises(UsageError, match=program):
        await ask(f"command:{program}")


def test_a_daemon_that_cannot_check_says_so_and_ends(tmp_path: Path) -> None:
    dialer = Cli(tmp_path, ACCOUNT | {"DIALER_PRE_DIAL_CHECK": "command:/no/such/check"})

    started = dialer("run", "--port", "0")

    assert started.code == 2
    assert "/no/such/check" in started.err


# -- the page about it ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (QUESTION, MayCall()),
        (replace(QUESTION, phone="+12025550199"), Never("sued us in March")),
        (
            replace(QUESTION, variables={"on_holiday": "yes"}),
            Later(NOW + 86_400 * SECOND, "on holiday"),
        ),
    ],
)
async def test_the_program_of_the_page_answers_as_it_says(
    tmp_path: Path, question: PreDialQuestion, answer: PreDialAnswer
) -> None:
    page = (ROOT / "docs" / "how-to" / "pre-dial-check.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    program, listed = tmp_path / "may-call", tmp_path / "litigators.csv"
    program.write_text(code.replace("/usr/bin/env python3", sys.executable))
    program.chmod(0o755)
    listed.write_text("phone,reason\n+12025550199,sued us in March\n")

    async with opening.opened(f"command:{program} {listed}", SetClock()) as check:
        assert check is not None
        assert await check(question) == answer


def test_the_question_of_the_page_is_the_question_that_is_asked() -> None:
    page = (ROOT / "docs" / "how-to" / "pre-dial-check.md").read_text()
    (shown,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)

    assert json.loads(shown).keys() == json.loads(question_bytes(QUESTION)).keys()


# -- an address ----------------------------------------------------------------------------------

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def service(serve: Serve) -> AsyncIterator[str]:
    """The address of a web service on loopback."""
    app = web.Application(client_max_size=1024)
    app.router.add_post("/may-call", serve)
    async with TestServer(app) as server:
        yield str(server.make_url("/may-call"))


async def test_a_service_is_asked_with_the_secret_and_answers() -> None:
    asked: list[Any] = []

    async def serve(request: web.Request) -> web.Response:
        asked.append((request.headers["X-Dialer-Secret"], await request.json()))
        return web.json_response({"answer": "never", "reason": "sued"})

    async with service(serve) as url:
        answer = await ask(url, secret="s3cret")

    assert answer == Never("sued")
    ((secret, question),) = asked
    assert (secret, question["phone"]) == ("s3cret", QUESTION.phone)


async def test_without_a_secret_none_is_sent() -> None:
    async def serve(request: web.Request) -> web.Response:
        known = "X-Dialer-Secret" in request.headers
        return web.json_response({"answer": "never" if known else "call"})

    async with service(serve) as url:
        assert await ask(url) == MayCall()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, b"", "127.0.0.1 answers HTTP 500"),
        (204, b"", "127.0.0.1 answers HTTP 204"),
        (302, b"", "127.0.0.1 answers HTTP 302"),
        (200, b"<html>", "not an answer: body"),
        (200, b" " * (MAX_BYTES + 1), f"not an answer: more than {MAX_BYTES} bytes"),
    ],
)
async def test_a_service_that_says_anything_else_has_not_answered(
    status: int, body: bytes, words: str
) -> None:
    async def serve(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Location": "/may-call"})

    async with service(serve) as url:
        assert words in await trouble(url)


async def test_a_service_that_is_not_there_has_not_answered_and_its_address_is_not_told() -> None:
    async def serve(request: web.Request) -> web.Response:
        return web.Response()

    async with service(serve) as url:
        pass

    words = await trouble(f"{url}?key=secret")
    assert words.startswith("127.0.0.1 cannot be used: ")
    assert "secret" not in words


# -- an entry point ------------------------------------------------------------------------------


async def litigators(question: PreDialQuestion) -> PreDialAnswer:
    """A check as an installed package offers it."""
    return Never(f"{question.phone} sues")


NOT_A_FUNCTION: Final = 7


def offered(name: str, value: str) -> list[EntryPoint]:
    return [EntryPoint(name, f"{__name__}:{value}", opening.GROUP)]


async def test_an_installed_function_answers() -> None:
    answer = await ask("entry:litigators", offered=offered("litigators", "litigators"))

    assert answer == Never(f"{QUESTION.phone} sues")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("litigator", "litigators", "did you mean"),
        ("litigators", "no_such_name", "cannot be loaded"),
        ("litigators", "NOT_A_FUNCTION", "no function but int"),
    ],
)
async def test_an_entry_point_that_is_none_is_refused(name: str, value: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        await ask("entry:litigators", offered=offered(name, value))


async def test_of_the_installed_packages_none_offers_this_one() -> None:
    with pytest.raises(UsageError, match="no installed package offers"):
        await ask("entry:nobody-offers-this")

"""`dialer campaign watch` and `wait`, `campaign list`, `status`, `calls tail`, as they are used."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dialer.clock import SystemClock
from dialer.commands.session import Desk
from dialer.commands.watch_run import Frames, left_words
from dialer.errors import StoreError
from dialer.hold import Hold
from dialer.model import CampaignId
from dialer.states import CampaignStatus
from dialer.store.opening import AnyDatabase, opened
from tests.support.cli import Cli
from tests.support.engine import SetClock, daemon_on, given_daemon, settings_for
from tests.support.frames import FRAME
from tests.support.given import given_campaign, write
from tests.support.terminals import shell, shown

NAME = "Renewals"


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    cli = Cli(tmp_path)
    cli.database.write_bytes(sqlite_template)
    return cli


def given(cli: Cli, act: Callable[[AnyDatabase], Awaitable[Any]]) -> Any:
    """Do something with the database of the command line."""

    async def main() -> Any:
        async with opened(str(cli.database), random.Random(1), busy_timeout_s=5) as database:
            return await act(database)

    return asyncio.run(main())


@pytest.fixture
def campaign(cli: Cli) -> None:
    """An active campaign of three, and a daemon that is alive for an hour."""

    async def act(database: AnyDatabase) -> None:
        now = SystemClock().now()
        await given_campaign(database, now=now, contacts=3, call_interval_s=0)
        await given_daemon(database, now=now, name="here:42")

    given(cli, act)


@pytest.fixture
def called(cli: Cli, campaign: None) -> None:
    """Two of its three are being called."""

    async def act(database: AnyDatabase) -> None:
        clock = SetClock(SystemClock().now())
        store = str(cli.database)
        async with daemon_on(store, database, clock=clock) as daemon:
            await daemon.take(CampaignId(1), 2)

    given(cli, act)


@contextmanager
def started(cli: Cli, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """A command that goes on; it is ended, should nobody else end it in time."""
    with subprocess.Popen(
        [sys.executable, "-m", "cli", *words],
        cwd=cli.folder,
        env=cli.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        late = threading.Timer(60, process.kill)
        late.start()
        try:
            yield process
        finally:
            late.cancel()


def state(cli: Cli) -> Any:
    """All that is known of the campaign."""
    return cli.here("campaign", "show", NAME, "--json").ok().json


# -- on a terminal --------------------------------------------------------------------------------


def test_a_screen_shows_the_campaign_follows_the_window_and_leaves_it_as_it_was(
    cli: Cli, called: None
) -> None:
    before = state(cli)

    with shown(cli, "campaign", "watch", NAME) as terminal:
        screen = terminal.until("q leave")
        assert "Renewals  ▶ active  always open" in screen
        assert "calling 2 of 10" in screen
        assert "☎ dialing" in screen
        assert len(screen.splitlines()) == 24

        terminal.resize(40, 15)
        narrow = terminal.until("q…")
        assert max(len(line.rstrip()) for line in narrow.splitlines()) <= 40
        assert len(narrow.splitlines()) == 15

        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.restored
        assert "left; 'Renewals' goes on" in terminal.screen
    assert state(cli) == before


def test_keys_pause_and_resume_and_say_so(cli: Cli, campaign: None) -> None:
    with shown(cli, "campaign", "watch", NAME) as terminal:
        terminal.until("▶ active")
        terminal.press("p")
        assert '"from watch"' in terminal.until("❚❚ paused")
        terminal.press("p")
        terminal.until("is paused: it cannot be paused")
        terminal.press("?")
        terminal.until("pause the campaign: no new calls")
        terminal.press("?")
        terminal.press("r")
        terminal.until("▶ active")
        terminal.press("e")
        terminal.until("ask: dialer explain PHONE --campaign Renewals")
        terminal.press("q")
        assert terminal.ended() == 0

    actions = [each["action"] for each in cli.here("audit-log", "list", "--json").ok().json]
    assert actions[:2] == ["campaign.resume", "campaign.pause"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_it_gets_the_terminal_back(
    cli: Cli, campaign: None, number: signal.Signals
) -> None:
    with shown(cli, "campaign", "watch", NAME) as terminal:
        terminal.until("q leave")
        assert not terminal.restored
        terminal.process.send_signal(number)

        assert terminal.ended() == 0
        assert terminal.restored


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(cli: Cli, campaign: None) -> None:
    with shell(cli) as terminal:
        terminal.until("$ ")
        terminal.press(f"{sys.executable} -m cli campaign watch {NAME}\n")
        terminal.until("q leave")
        terminal.press("\x1a")
        terminal.until("Stopped")
        terminal.press("stty -a | grep -o '.icanon'\n")
        terminal.until(" icanon")
        terminal.press("fg\n")
        terminal.until("q leave")
        terminal.press("q")
        terminal.until("left; 'Renewals' goes on")
        terminal.press("exit\n")
        assert terminal.ended() == 0


def test_a_campaign_that_is_over_ends_the_watch(cli: Cli, campaign: None) -> None:
    with shown(cli, "campaign", "watch", NAME) as terminal:
        terminal.until("q leave")
        cli.here("campaign", "cancel", NAME, "--yes").ok()

        assert terminal.ended() == 0
        assert "'Renewals' is cancelled" in terminal.screen
        assert terminal.restored


def test_no_colour_and_plain_glyphs_are_heeded(cli: Cli, campaign: None) -> None:
    quiet = cli.set(ascii="1")
    with shown(quiet, "campaign", "watch", NAME, "--color", "never") as terminal:
        screen = terminal.until("q leave")
        assert screen.isascii()
        assert "\x1b[3" not in terminal.raw


def test_the_last_word_says_what_becomes_of_the_campaign() -> None:
    held = Hold(0, "ana", "wrong list", None, None, None)

    assert left_words(FRAME) == "left; 'Renewals Q4' goes on"
    paused = replace(FRAME, status=CampaignStatus.PAUSED)
    assert left_words(paused) == "left; 'Renewals Q4' is paused"
    assert left_words(replace(FRAME, held=held)).startswith("left; everything is held")
    over = replace(FRAME, status=CampaignStatus.COMPLETED)
    assert left_words(over) == "'Renewals Q4' is completed"


# -- without a terminal ---------------------------------------------------------------------------


def test_one_look_is_data_on_stdout(cli: Cli, called: None) -> None:
    done = cli.here("campaign", "watch", NAME, "--once").ok()
    frame = cli.here("campaign", "watch", NAME, "--once", "--json").ok().json

    assert "calling 2 of 10" in done.out
    assert done.err == ""
    assert (frame["name"], frame["live"], frame["contacts"]) == (NAME, 2, 3)
    assert all("***" in call["to"] for call in frame["calls"])


def test_a_pipe_whose_reader_goes_ends_the_watch_without_a_word(cli: Cli, campaign: None) -> None:
    command = f"{sys.executable} -m cli campaign watch {NAME} --every 0.25s"
    for flags in ("", "--json"):
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command} {flags} | head -1"],
            cwd=cli.folder,
            env=cli.environment,
            capture_output=True,
            check=False,
            timeout=60,
        )

        assert (done.returncode, done.stderr) == (0, b"")
        assert len(done.stdout.splitlines()) == 1


def test_lines_tell_each_change_as_it_comes(cli: Cli, campaign: None) -> None:
    with started(cli, "campaign", "watch", NAME, "--every", "0.25s") as process:
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(3)]
        cli.here("campaign", "pause", NAME, "--reason", "tea").ok()
        paused = [process.stdout.readline() for _ in range(2)]
        cli.here("campaign", "cancel", NAME, "--yes").ok()
        rest = process.stdout.read()

    assert first[0].split(None, 2)[2] == "Renewals  active  always open\n"
    assert paused[0].split(None, 2)[2].startswith("campaign  paused by ")
    assert paused[0].endswith(': "tea"\n')
    assert "waiting   3 paused" in paused[1]
    assert "campaign  cancelled" in rest
    assert "members   pending 0  failed 3  done 3 of 3" in rest
    assert process.returncode == 0


def test_what_cannot_be_watched_is_said(cli: Cli, campaign: None) -> None:
    assert cli.here("campaign", "watch", "Renewal").code == 3
    wrong = cli.here("campaign", "watch", NAME, "--every", "0.1s")
    assert (wrong.code, wrong.err.splitlines()[0]) == (
        2, "error: every: '0.1s' is not between 0.25s and 1h",
    )  # fmt: skip


# -- trouble with the database --------------------------------------------------------------------


class Failing:
    """A database that fails, whatever it is asked."""

    def read(self) -> Any:
        raise StoreError("the disk is gone")

    write: Any = read
    snapshot: Any = read


async def test_after_a_failure_the_database_is_opened_anew(cli: Cli, campaign: None) -> None:
    settings = settings_for(str(cli.database))
    async with Frames(Desk(settings, Failing(), SystemClock()), NAME) as frames:
        with pytest.raises(StoreError, match="the disk is gone"):
            await frames.read()

        assert (await frames.read()).name == NAME
        assert (await frames.read()).total == 3


# -- wait -----------------------------------------------------------------------------------------


def test_a_wait_ends_when_it_is_so_when_it_cannot_be_and_when_time_is_over(
    cli: Cli, campaign: None
) -> None:
    def wait(*words: str) -> tuple[int, str]:
        done = cli.here("campaign", "wait", NAME, *words)
        assert done.out == ""
        return done.code, done.err.splitlines()[0]

    assert wait("--until", "active") == (0, "campaign 'Renewals' is active")
    assert wait("--timeout", "0.1s") == (124, "campaign 'Renewals' is not done after 0.1s")
    assert wait("--until", "idle", "--timeout", "0.1s")[0] == 124
    cli.here("campaign", "pause", NAME).ok()
    assert wait("--until", "paused") == (0, "campaign 'Renewals' is paused")
    assert wait("--until", "idle") == (0, "campaign 'Renewals' is idle")
    cli.here("campaign", "cancel", NAME, "--yes").ok()
    assert wait() == (5, "error: campaign 'Renewals' is cancelled: it will not be done")
    assert wait("--until", "idle")[0] == 0


def test_a_paused_campaign_is_not_idle_while_its_calls_go_on(cli: Cli, called: None) -> None:
    cli.here("campaign", "pause", NAME).ok()

    waited = cli.here("campaign", "wait", NAME, "--until", "idle", "--timeout", "0.1s")

    assert waited.code == 124


# -- list, status, tail ---------------------------------------------------------------------------


def test_the_list_says_what_each_campaign_is_doing_now(cli: Cli, called: None) -> None:
    active = cli.here("campaign", "list").ok()
    cli.here("campaign", "pause", NAME, "--reason", "script wrong").ok()
    paused = cli.here("campaign", "list").ok()

    assert active.out == "1\tRenewals\tactive\talways open\t0/3\t\N{EN DASH}\t2 calls\n"
    assert active.err.startswith("daemon running ")
    assert active.err.endswith(" 2 of 10 lines busy, events 0.0 s behind\n")
    assert 's ago: "script wrong"' in paused.out
    (listed,) = cli.here("campaign", "list", "--json").ok().json
    assert (listed["hours"], listed["live"], listed["human_rate"]) == ("always open", 2, None)
    assert listed["pause_reason"] == "script wrong"


def test_the_status_of_the_deployment(cli: Cli, called: None) -> None:
    told = cli.here("status").ok().out
    data = cli.here("status", "--json").ok().json

    assert " on test\n" in told
    assert "calls     2 of 10 lines busy, events 0.0 s behind" in told
    assert "campaigns 1 active" in told
    assert "backup    none" in told
    assert (data["live"], data["lines"], data["campaigns_by_status"]) == (2, 10, {"active": 1})
    assert [(each["host"], each["pid"]) for each in data["daemons"]] == [("test", None)]


def test_ready_asks_the_database_alone(cli: Cli) -> None:
    alone = cli.here("status", "--ready")
    given(cli, lambda database: given_daemon(database, now=SystemClock().now()))
    alive = cli.here("status", "--ready", "-q")
    nowhere = cli.set(database="nowhere.db").here("status", "--ready", "-q")

    assert (alone.code, alone.err) == (6, "not ready: no daemon is running\n")
    assert (alive.code, alive.out, alive.err) == (0, "", "")
    assert (nowhere.code, nowhere.err) == (6, "")


def test_lists_of_calls_mask_who_was_called_and_data_does_not(cli: Cli, called: None) -> None:
    listed = cli.here("calls", "list").ok().out
    data = cli.here("calls", "list", "--json").ok().json

    assert len(data) == 2
    for each in data:
        assert each["to"].startswith("+1202")
        assert "***" not in each["to"]
        assert each["to"] not in listed
    assert listed.count("+1202***") == 2


def test_the_tail_of_calls_and_those_that_come(cli: Cli, called: None) -> None:
    last = cli.here("calls", "tail", "--lines", "1").ok().out
    every = cli.here("calls", "tail", "--json", "-c", NAME).ok().out
    with started(cli, "calls", "tail", "-f", "--lines", "2", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        begun = [json.loads(process.stdout.readline()) for _ in range(2)]
        given(cli, end_the_first_call)
        ended = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        err = process.stderr.read()

    assert "Renewals  +1202***" in last
    assert len(last.splitlines()) == 1
    assert [json.loads(line)["outcome"] for line in every.splitlines()] == [None, None]
    assert (ended["id"], ended["outcome"], ended["duration_s"]) == (begun[0]["id"], "human", 12)
    assert (process.returncode, err) == (0, "")


async def end_the_first_call(database: AnyDatabase) -> None:
    """Write down that one call is over."""
    async with database.write() as tx:
        await write(
            tx,
            "UPDATE attempts SET outcome = 'human', state = 'ended', ended_at = ?1,"
            " duration_s = 12, closed_at = ?1 WHERE id = (SELECT min(id) FROM attempts)",
            [(SystemClock().now(),)],
        )

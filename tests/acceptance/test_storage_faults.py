"""A disk that is full, broken, taken or damaged: no call that is not written down before."""

import os
import re
import resource
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from dialer.clock import MS
from tests.support.changes import PAGE, Quota, ordinary_user, small_files
from tests.support.forked import Change, Forked, forked
from tests.support.promises import check_promises
from tests.support.stage import SHORT_DOUBT, WITHIN_S, Stage

GivenStage = Callable[..., Stage]
Trouble = Callable[[Stage, Forked], AbstractContextManager[None]]

SPEED: Final = 100
#: Bit 21 of the effective capabilities, CAP_SYS_ADMIN in <linux/capability.h>.
MAY_MOUNT: Final = bool(
    int(re.findall(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())[0], 16) >> 21 & 1
)


# -- while a daemon runs --------------------------------------------------------------------------


@contextmanager
def broken_disk(stage: Stage, daemon: Forked) -> Iterator[None]:
    """Not a byte can be written to any file, to the log neither."""
    break_disk(daemon)
    yield
    break_disk(daemon, resource.RLIM_INFINITY)


def break_disk(daemon: Forked, limit: int = 0) -> None:
    """Beyond *limit* bytes no file of the daemon's can be written; beyond infinity all can."""
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


@contextmanager
def full_disk(stage: Stage, daemon: Forked) -> Iterator[None]:
    """What needs a further page cannot be written, the rest can."""
    switch = quota_of(stage).switch
    switch.touch()
    yield
    switch.unlink()


@contextmanager
def taken_database(stage: Stage, daemon: Forked) -> Iterator[None]:
    """Another program writes, and does not come to an end."""
    with stage.held():
        yield


def quota_of(stage: Stage) -> Quota:
    return Quota(stage.rehearsal.folder / "full")


#: In real time: a lock is waited for 0.2 s, the lease renewed every 0.5 s.
IMPATIENT: Final = {"busy_timeout_s": "20", "lease_s": "200", "quarantine_s": "300"}


def given_daemon(stage: Stage, *, contacts: int) -> Forked:
    """A daemon that calls, slowly enough to be met while it has calls and members left."""
    stage.given_campaign(
        contacts=contacts,
        numbers=2,
        call_interval_s=0,
        max_concurrent=100,
        completion_timeout_s=5,
        max_retries=0,
        retry_intervals_s=(60,),
    )
    stage.carrier("--cps", "1000")
    return forked(stage, quota_of(stage))


@pytest.mark.parametrize("trouble", [broken_disk, full_disk, taken_database])
def test_while_intents_cannot_be_written_nobody_is_called_and_then_it_goes_on(
    given_stage: GivenStage, trouble: Trouble
) -> None:
    stage = given_stage(SPEED, calls_per_second="0.3", **IMPATIENT, **SHORT_DOUBT)
    daemon = given_daemon(stage, contacts=60)
    stage.until_accepted(15)

    with trouble(stage, daemon):
        since = stage.clock.now()
        stage.until(lambda: store_trouble(stage))
        stage.until(lambda: any((call.ended_at or 0) > since for call in stage.truth()))
        assert rang(stage) <= written_down(stage)

    stage.until(lambda: stage.troubles() == {})
    stage.until_over()
    check_promises(stage)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for one database: a file system of its own, where one can be made."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not MAY_MOUNT:
        yield folder
        return
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def no_room(stage: Stage, daemon: Forked) -> Iterator[None]:
    """Somebody else has taken what was left of the disk; where none is small, a quota stands in."""
    folder = Path(stage.database).parent
    if not folder.is_mount():
        with full_disk(stage, daemon):
            yield
        return
    others = folder / "others"
    with others.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))
    yield
    others.unlink()


def test_a_full_disk_is_told_of_once_and_the_daemon_goes_on_by_itself_when_there_is_room(
    small_disk: Path, given_stage: GivenStage
) -> None:
    stage = given_stage(
        SPEED, database=str(small_disk / "dialer.db"), calls_per_second="0.3", **IMPATIENT,
        **SHORT_DOUBT,
    )  # fmt: skip
    daemon = given_daemon(stage, contacts=60)
    stage.until_accepted(15)

    with no_room(stage, daemon):
        stage.until(lambda: store_trouble(stage))
        since = stage.clock.now()
        stage.until(lambda: stage.clock.now() > since + 60 * MS)  # and as many turns
        assert rang(stage) <= written_down(stage)
        assert stage.events().count("claim.failed") <= 1

    stage.until(lambda: stage.troubles() == {})
    stage.until_over()
    assert daemon.poll() is None
    check_promises(stage)


def test_a_daemon_killed_on_a_broken_disk_does_not_start_before_it_is_mended(
    given_stage: GivenStage,
) -> None:
    stage = given_stage(SPEED, calls_per_second="0.3", **IMPATIENT, **SHORT_DOUBT)
    daemon = given_daemon(stage, contacts=30)
    stage.until_accepted(15)
    break_disk(daemon)
    stage.until(lambda: store_trouble(stage))
    stage.kill(daemon)

    refused = forked(stage, small_files)
    stage.expect_end(refused)
    assert refused.wait(WITHIN_S) == 1

    forked(stage)
    stage.until_over()
    check_promises(stage)


def test_half_a_commit_at_the_end_of_the_log_is_no_damage(given_stage: GivenStage) -> None:
    stage = given_stage(SPEED, calls_per_second="0.3", **IMPATIENT, **SHORT_DOUBT)
    daemon = given_daemon(stage, contacts=30)
    stage.until_accepted(15)
    stage.kill(daemon)
    before = written_down(stage)
    with Path(f"{stage.database}-wal").open("ab") as log:
        log.write(os.urandom(PAGE // 2))

    forked(stage)
    stage.until_over()

    assert before <= written_down(stage)
    check_promises(stage)


def store_trouble(stage: Stage) -> bool:
    """Whether the daemon says of itself that it cannot use the database."""
    return "database" in (stage.troubles() or {})


def rang(stage: Stage) -> set[str]:
    """The attempts that became calls."""
    return {call.token for call in stage.truth()}


def written_down(stage: Stage) -> set[str]:
    """The attempts a daemon that starts now would know of."""
    return {attempt_id for (attempt_id,) in stage.rows("SELECT id FROM attempts")}


# -- when a daemon starts -------------------------------------------------------------------------


def read_only(database: Path) -> None:
    database.chmod(0o400)


def read_only_folder(database: Path) -> None:
    database.parent.chmod(0o500)


def no_database(database: Path) -> None:
    database.write_text("phone,name\n" * 1000)


def cut_short(database: Path) -> None:
    os.truncate(database, database.stat().st_size // 2)


def flipped_byte(database: Path) -> None:
    """The first one of a page in the middle, which says of what kind the page is."""
    with database.open("r+b") as file:
        file.seek(database.stat().st_size // PAGE // 2 * PAGE)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 0xFF]))


@pytest.fixture(scope="module")
def sound_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with a campaign that was never started."""
    with Stage(tmp_path_factory.mktemp("sound"), speed=1) as stage:
        stage.given_campaign(contacts=1000, start=False)
        return Path(stage.database).read_bytes()


@pytest.mark.parametrize(
    ("damage", "changes", "told"),
    [
        pytest.param(None, [small_files], "disk I/O error", id="broken disk"),
        pytest.param(read_only, [ordinary_user], "readonly", id="read-only file"),
        pytest.param(read_only_folder, [ordinary_user], "Permission denied", id="read-only folder"),
        pytest.param(no_database, [], "not a database", id="no database"),
        pytest.param(cut_short, [], "damaged|malformed", id="cut short"),
        pytest.param(flipped_byte, [], "damaged|malformed", id="flipped byte"),
    ],
)
def test_a_daemon_does_not_start_on_a_database_it_cannot_trust(
    given_stage: GivenStage,
    sound_database: bytes,
    damage: Callable[[Path], None] | None,
    changes: Sequence[Change],
    told: str,
) -> None:
    stage = given_stage(speed=1)
    database = Path(stage.database)
    database.write_bytes(sound_database)
    if damage is not None:
        damage(database)

    refused = forked(stage, *changes)
    stage.expect_end(refused)

    assert refused.wait(WITHIN_S) != 0
    error, cure = (stage.rehearsal.folder / "daemon.log").read_text().splitlines()
    assert error.startswith(f"error: database {database}")
    assert re.search(told, error)
    assert cure.startswith("next:  ")

"""Who has a file open."""

import os
import subprocess
import sys
from pathlib import Path

from dialer.store.holders import holders

_HOLDS = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"


def test_other_processes_are_named_with_their_commands_and_no_number(tmp_path: Path) -> None:
    file = tmp_path / "dialer.db"
    file.write_bytes(b"")
    with (
        file.open(),
        subprocess.Popen(
            [sys.executable, "-c", _HOLDS, str(file), "+12025550143"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        (found,) = holders(file)
        process.communicate()

    assert found.pid == process.pid != os.getpid()
    assert found.command.startswith(sys.executable)
    assert "+12025550143" not in found.command
    assert holders(file) == []


def test_where_nothing_is_told_nobody_is_named(tmp_path: Path) -> None:
    file = tmp_path / "dialer.db"

    assert holders(file) == []
    file.write_bytes(b"")
    assert holders(file, tmp_path / "no such folder") == []

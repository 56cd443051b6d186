"""The command line as an operator runs it: a process, its exit code and both its streams."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest
import structlog

import cli
from dialer import lazy_log
from tests.support import forked_commands

ROOT: Final = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as data; nothing else may be in it."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The error on standard error, as data."""
        return json.loads(self.err.splitlines()[-1])["error"]

    def ok(self) -> "Done":
        """Itself, when the command did what it was asked for."""
        assert self.code == 0, self
        assert "Traceback" not in self.err, self
        return self


@dataclass(frozen=True)
class Cli:
    """Runs ``dialer`` in a folder with a database of its own."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def set(self, **settings: str) -> "Cli":
        """The same with further settings, as ``busy_timeout_s="0.1"``."""
        variables = {f"DIALER_{name.upper()}": value for name, value in settings.items()}
        return replace(self, variables=self.variables | variables)

    def __call__(self, *words: str | Path, stdin: bytes = b"") -> Done:
        """Run a command: a fork of a preloaded process, where that makes no difference."""
        if not stdin and forked_commands.can(self.variables):
            told = forked_commands.run(list(map(str, words)), self.folder, self.environment)
            return Done(told[0], told[1].decode(), told[2].decode())
        done = subprocess.run(
            [sys.executable, "-m", "cli", *map(str, words)],
            cwd=self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=120,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def here(self, *words: str | Path) -> Done:
        """Run a command in this process: many times as fast, and it may do no harm."""
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.folder),
            mock.patch.dict(os.environ, self.environment, clear=True),
            mock.patch.object(sys, "argv", ["dialer", *map(str, words)]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            _logging_as_before(),
            pytest.raises(SystemExit) as end,
        ):
            cli.main()
        assert isinstance(end.value.code, int)
        return Done(end.value.code, out.getvalue(), err.getvalue())

    @property
    def environment(self) -> dict[str, str]:
        """This process's, without its settings of dialer, and with the project to import."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("DIALER_")}
        ours = {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}
        nobodys = {"XDG_CONFIG_HOME": str(self.folder / "nobody's"), "CREDENTIALS_DIRECTORY": ""}
        return kept | ours | nobodys | self.variables

    @property
    def database(self) -> Path:
        """The database of a folder nobody has set another one for."""
        return self.folder / "dialer.db"


@contextlib.contextmanager
def _logging_as_before() -> Iterator[None]:
    """A command sets logging up for its process, which is the tests' own here."""
    before = structlog.get_config() if structlog.is_configured() else None
    try:
        yield
    finally:
        lazy_log.is_set_up()
        if before is None:
            structlog.reset_defaults()
        else:
            structlog.configure(**before)


def every_command() -> Iterator[tuple[str, Any]]:
    """Every command there is, as in "campaign start", with what parses its words."""

    def below(group: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        for name in group.list_commands(None):
            command = group.get_command(None, name)
            if hasattr(command, "list_commands"):
                yield from below(command, (*path, name))
            else:
                yield " ".join((*path, name)), command

    return below(cli.tree(), ())

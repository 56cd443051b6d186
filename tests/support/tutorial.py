"""The tutorial's three terminals, on a clock that runs faster and with ports of their own."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from dialer.rehearsal import HOST, Rehearsal, free_port
from tests.support.cli import ROOT, Cli
from tests.support.pages import Process, Shown, blocks, commands, run, terminal, typed

PAGE: Final = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
#: The first lines of every terminal; whoever starts one here is there already.
ARRIVING: Final = frozenset({". .venv/bin/activate", "cd trial"})
#: What a faster clock needs to be told, of all that a rehearsal is told.
_WIDENED: Final = ("TIME_SCALE", "_S", "LOG_FORMAT", "BACKUP_DIR", "METRICS_PORT")
_CARRIER_PORT: Final = "8091"


class Trial(NamedTuple):
    """A folder in which simulator and daemon are at work, as the page has them started."""

    folder: Path
    variables: Mapping[str, str]
    carrier: Process
    daemon: Process

    def run(self, shown: Shown) -> str:
        """Run a command of the third terminal and return what it printed, words last."""
        done = run(shown, Cli(self.folder, dict(self.variables)))
        assert done.code == shown.code, (shown, done)
        return done.out + done.err


def operator(label: str = "terminal 3") -> list[Shown]:
    """What the page has an operator type, in order."""
    found = commands("\n".join(blocks(PAGE, label)))
    return [shown for shown in found if shown.line not in ARRIVING]


@contextmanager
def trial(folder: Path, speed: float, **settings: str) -> Iterator[Trial]:
    """Do what the page does in its first two terminals, *speed* times as fast as life.

    *settings* are further variables of all three.
    """
    carrier_port, port = str(free_port()), str(free_port())

    def script(label: str) -> str:
        (text,) = blocks(PAGE, label)
        lines = [shown.line for shown in commands(text) if shown.line not in ARRIVING]
        return "\n".join(lines).replace(_CARRIER_PORT, carrier_port)

    variables = _faster(folder, speed) | {
        "DIALER_PORT": port,  # the page has no reason to name it
        "DIALER_TWILIO_BASE_URL": f"http://{HOST}:{carrier_port}",
        "DIALER_PUBLIC_URL": f"http://{HOST}:{port}",
        **settings,
    }
    made = typed(script("the folder"), folder, variables)
    assert made.returncode == 0, made.stderr
    folder /= "trial"
    with (
        terminal(script("terminal 1"), folder, **variables) as carrier,
        terminal(script("terminal 2"), folder, **variables) as daemon,
    ):
        assert json.loads(_line(carrier.stdout))["url"].endswith(carrier_port)
        assert json.loads(_line(daemon.stderr))["event"] == "daemon.started"
        yield Trial(folder, variables, carrier, daemon)


def _faster(folder: Path, speed: float) -> dict[str, str]:
    found = Rehearsal(folder, speed).environment()
    return {
        name: value
        for name, value in found.items()
        if name.startswith("DIALER_") and name.endswith(_WIDENED)
    }


def _line(stream: object) -> str:
    assert hasattr(stream, "readline"), "it is a pipe"
    return str(stream.readline())

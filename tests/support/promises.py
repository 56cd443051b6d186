"""What must be true once everything is over, whatever happened on the way."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dialer.audit import postgres, sqlite, truth_file
from dialer.audit.check import check
from dialer.audit.evidence import Evidence
from dialer.audit.records import Account, Bounds
from tests.support.stage import Stage


def check_promises(stage: Stage) -> None:
    """Fail with one line for each promise that was not kept; for campaigns that are over."""
    report = check(evidence_of(stage))
    broken = [*map(str, report.violations), *_contradictions(stage)]
    assert not broken, "\n".join(broken)
    assert report.compared, "nothing was compared"


def evidence_of(stage: Stage) -> Evidence:
    """All that is to be known of a run that is over."""
    if "://" in stage.database:
        tables = asyncio.run(postgres.read(stage.database))
    else:
        tables = sqlite.read(Path(stage.database))
    environment = stage.rehearsal.environment()
    return replace(
        tables,
        calls=truth_file.read(stage.rehearsal.truth),
        account=Account(
            calls_per_second=float(environment["DIALER_CALLS_PER_SECOND"]), max_concurrent=0
        ),
        bounds=Bounds.on_a_clock(stage.rehearsal.speed),
        as_of_at=stage.clock.now(),
        over=True,
    )


def _contradictions(stage: Stage) -> Iterator[str]:
    """What `dialer db check` finds: damaged pages, broken references, facts at odds."""
    found = stage.cli.here("db", "check", "--json").json
    for each in found["checks"]:
        if not each["ok"]:
            yield f"{each['promise']}: not so for {each['examples']}"

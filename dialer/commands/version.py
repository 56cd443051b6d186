"""`dialer version`: what is installed, for whoever is asked for help."""

from typing import Annotated, Final

import typer

from dialer.commands.console import emit

EXAMPLES: Final = "Example: dialer version --json"


def version(json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """The release, and what it stands on: Python, SQLite, zone data, calling rules."""
    import platform

    from dialer import __version__
    from dialer.rules.pack import CURRENT_VERSION
    from dialer.store.describing import sqlite_version
    from dialer.store.opening import SCHEMA
    from dialer.timezones import zone_data_version

    facts = {
        "version": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite_version(),
        "schema": SCHEMA,
        "tzdata": zone_data_version(),
        "rules": CURRENT_VERSION,
    }
    if json_:
        emit(facts)
        return
    typer.echo(f"dialer {facts.pop('version')}")
    for name, value in facts.items():
        typer.echo(f"{name} {value}")

"""`dialer completion`: words and names that the shell fills in."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from dialer.commands.console import say

app = typer.Typer(help="Let the shell complete words and names.", no_args_is_help=True)

PROGRAM: Final = "dialer"


class Shell(StrEnum):
    """Those there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


Which = Annotated[Shell | None, typer.Argument(help="The shell; else the one of $SHELL.")]


@app.command(epilog='Example: eval "$(dialer completion show bash)"')
def show(shell: Which = None) -> None:
    """Print the script, for a shell's own start-up files."""
    from typer._completion_shared import get_completion_script

    from dialer.commands.completing import VARIABLE

    typer.echo(get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=_shell(shell)))


@app.command(epilog="Example: dialer completion install zsh")
def install(shell: Which = None) -> None:
    """Write the script into this user's folders, and have the shell read it when it starts."""
    from typer._completion_shared import install as put

    from dialer.commands.completing import VARIABLE
    from dialer.errors import UnreachableError

    try:
        name, path = put(shell=_shell(shell), prog_name=PROGRAM, complete_var=VARIABLE)
    except OSError as error:
        raise UnreachableError(
            f"{error.filename} cannot be written: {error.strerror}",
            next_step=f"dialer completion show {_shell(shell)}",
        ) from error
    typer.echo(path)
    say(f"{name} completes {PROGRAM} from its next start on")


def _shell(given: Shell | None) -> str:
    """The one named, or the user's; raises UsageError for one there is no script for."""
    from dialer.errors import UsageError

    name = given or Path(os.environ.get("SHELL", "")).name
    if name not in list(Shell):
        raise UsageError(
            f"there is no script for the shell {name!r}" if name else "SHELL is not set",
            next_step="dialer completion show bash",
        )
    return str(name)

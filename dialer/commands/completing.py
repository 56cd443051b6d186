"""What a shell is told while somebody types: words of the tree, names from the database.

A shell waits for it at every press of a key, and shows what is printed: so nothing is imported that
the words typed do not need, and whatever goes wrong is no answer, in silence.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final

from typer import core as typer_core
from typer._click.shell_completion import CompletionItem
from typer._completion_classes import completion_init

from dialer.commands.shell import Tree

#: Set by the scripts of shells; see ``typer.completion``.
VARIABLE: Final = "_DIALER_COMPLETE"


class Named(Enum):
    """What has names: the query that tells them, and the column they are in."""

    CAMPAIGN = "campaign_names", "name"
    SCHEDULE = "list_schedules", "name"
    AGENT = "list_agents", "name"
    NUMBER = "list_numbers", "phone"


_BY_OPTION: Final[Mapping[str, Named]] = {
    "--campaign": Named.CAMPAIGN,
    "--schedule": Named.SCHEDULE,
    "--agent": Named.AGENT,
    "--number": Named.NUMBER,
}
#: Arguments of a noun's commands that name one of them, and the command whose name is a new one.
_BY_ARGUMENT: Final[Mapping[str, tuple[str, Named, str]]] = {
    "campaign": ("name", Named.CAMPAIGN, "create"),
    "pause": ("names", Named.CAMPAIGN, ""),
    "resume": ("names", Named.CAMPAIGN, ""),
    "forecast": ("campaign", Named.CAMPAIGN, ""),
    "schedule": ("name", Named.SCHEDULE, "create"),
    "agents": ("name", Named.AGENT, "add"),
    "numbers": ("phone", Named.NUMBER, "add"),
}
#: Its numbers are the simulator's own.
_WITHOUT: Final = frozenset({"carrier-sim"})


def prepare(root: Tree) -> None:
    """Have *root* answer shells: the top from its table, the rest as it is made."""
    completion_init()
    make = root.get_command

    def made(ctx: Any, name: str) -> Any:
        command = make(ctx, name)
        if command is not None and name not in _WITHOUT:
            _teach(command, name, name)
        return command

    def top(ctx: Any, incomplete: str) -> list[CompletionItem]:
        if incomplete.startswith("-"):
            return type(root).shell_complete(root, ctx, incomplete)
        return [
            CompletionItem(name, help=noun.about)
            for name, noun in root.nouns.items()
            if name.startswith(incomplete)
        ]

    vars(root).update(get_command=made, shell_complete=top)


def _teach(command: Any, noun: str, word: str) -> None:
    """Let every parameter that names something know the names."""
    if isinstance(command, typer_core.TyperGroup):
        for name, each in command.commands.items():
            _teach(each, noun, name)
        return
    argument, named, new = _BY_ARGUMENT.get(noun, ("", Named.CAMPAIGN, ""))
    for param in command.params:
        by_option = next((_BY_OPTION[flag] for flag in param.opts if flag in _BY_OPTION), None)
        if by_option is not None:
            param.shell_complete = _suggests(by_option)
        elif param.name == argument and param.param_type_name == "argument" and word != new:
            param.shell_complete = _suggests(named)


def _suggests(named: Named) -> Callable[[Any, str], list[CompletionItem]]:
    def suggest(_ctx: Any, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in names(named) if name.startswith(incomplete)]

    return suggest


def names(named: Named) -> list[str]:
    """Those in the database of this folder; none where it cannot be read at once.

    A database at a server is not asked: nobody waits for a network while they type.
    """
    from dialer.commands import presentation
    from dialer.settings import load
    from dialer.store.names import names_in

    try:
        settings = load(presentation.current().config, database=presentation.current().database)
        if settings.is_postgres:
            return []
        return names_in(Path(settings.database), *named.value)
    except Exception:  # whatever it is, the next thing on the screen is what is typed
        return []

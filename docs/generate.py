"""Draw the reference pages that follow from the code; a test compares them with the files.

python docs/generate.py            write the pages
python docs/generate.py --check    exit 1 when a page is not what the code says
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import cli
from amd.moves import MOVES, Heard, State
from dialer import states
from dialer.commands.shell import MORE_OPTIONS
from dialer.hours_format import format_weekly
from dialer.log_events import EVENTS
from dialer.model import FailReason, WaitReason
from dialer.rules.pack import current_pack
from dialer.settings import Settings
from retries.outcome import Outcome

ROOT: Final = Path(__file__).parent


def states_page() -> str:
    """The three lives as diagrams."""
    parts = [
        (
            "# States\n\n"
            "Drawn from the tables in `dialer/states.py` by `python docs/generate.py`.\n"
            "A move happens by compare-and-set: a row that has moved meanwhile is left alone.\n"
        )
    ]
    machines: tuple[tuple[str, Mapping[Any, Any], Any], ...] = (
        ("Campaign", states.CAMPAIGN_TRANSITIONS, states.CampaignStatus.DRAFT),
        ("Member (a contact in a campaign)", states.MEMBER_TRANSITIONS, states.MemberState.PENDING),
        ("Attempt (one dial)", states.ATTEMPT_TRANSITIONS, states.AttemptState.INTENT),
    )
    for title, table, first in machines:
        parts.append(f"\n## {title}\n\n```mermaid\nstateDiagram-v2\n    [*] --> {first}\n")
        parts += [f"    {a} --> {b}: {event}\n" for (a, event), b in table.items()]
        parts.append("```\n\n| from | event | to |\n|---|---|---|\n")
        parts += [f"| {a} | {event} | {b} |\n" for (a, event), b in table.items()]
    return "".join(parts)


def settings_page() -> str:
    """Every setting with its default and meaning."""
    lines = [
        (
            "# Settings\n\n"
            "The first place that names a setting decides: a flag, an environment variable, a\n"
            "file in `$CREDENTIALS_DIRECTORY`, `.env` in the working directory, `dialer.toml`\n"
            "there, `$XDG_CONFIG_HOME/dialer/dialer.toml` (else below `~/.config`),\n"
            "`/etc/dialer/dialer.toml`; last the defaults below. `DIALER_CONFIG` names one TOML\n"
            "file to be read in place of these three; set to nothing, none is.\n"
            "In a TOML file, and as the name of a credential's file, a setting has the name of\n"
            "its variable in small letters, without `DIALER_`: `port = 8090`. A key nobody knows\n"
            "is an error, wherever it stands.\n\n"
            "| variable | default | meaning |\n|---|---|---|\n"
        )
    ]
    for name, field in Settings.model_fields.items():
        secret = "Secret" in str(field.annotation)
        default = "" if secret or field.default == "" else f"`{field.default}`"
        lines.append(f"| `DIALER_{name.upper()}` | {default} | {field.description} |\n")
    return "".join(lines)


def reasons_page() -> str:
    """The closed sets of reasons that operators meet."""
    return (
        "# Reasons\n\n"
        "`dialer campaign status` counts, for every campaign, why its members are not being\n"
        f"dialed:\n\n{_listed(WaitReason)}\n"
        "A member that failed keeps one of these:\n\n"
        f"{_listed(FailReason)}\n"
        "The outcome of a call, and of an attempt that became none:\n\n"
        f"{_listed(Outcome)}"
    )


def _listed(reasons: type[StrEnum]) -> str:
    """Each member with what the code says about it: the comment behind it."""
    said = dict(re.findall(r'= "(\w+)"  # (.+)', inspect.getsource(reasons)))
    return "".join(f"- `{reason}`: {said[reason]}\n" for reason in reasons)


def rules_page() -> str:
    """The calling rules that come with the program."""
    pack = current_pack()
    parts = [
        (
            f"# The calling rules of {pack.version}\n\n"
            "Drawn from `dialer/rules` by `python docs/generate.py`. Engineering data, not legal\n"
            "advice; [what the columns mean, and how rules combine](calling-rules.md).\n\n"
            "| rule | hours | holidays | caps | since | confidence | note |\n"
            "|---|---|---|---|---|---|---|\n"
        )
    ]
    for rule in pack.rules:
        hours = format_weekly(rule.weekly) + (f" ({rule.zone})" if rule.zone else "")
        holidays, caps = " ".join(rule.holidays), " ".join(map(str, rule.caps))
        source = f" [Source]({rule.source})" if rule.source else ""
        parts.append(
            f"| `{rule.id}` | {hours} | {holidays} | {caps} | {rule.valid_from or ''} "
            f"| {rule.confidence}{'' if rule.law_found else ', no law found'} "
            f"| {rule.note}{source} |\n"
        )
    places = ", ".join(f"{place} ({law})" for place, law in pack.territories.items())
    parts.append(f"\nPlaces where another country's rules hold: {places}.\n")
    return "".join(parts)


def who_answered_page() -> str:
    """The table that decides who answered."""
    edges: dict[tuple[State, State], list[str]] = {}
    for (state, heard), move in MOVES.items():
        edges.setdefault((state, move.to), []).append(heard)
    rows = "".join(
        f"| {state} | {heard} | {move.to} | {' '.join(move.tells)} "
        f"| {'yes' if move.reverses else ''} |\n"
        for (state, heard), move in MOVES.items()
    )
    return (
        "# Who answered: the table\n\n"
        "Drawn from `amd/moves.py` by `python docs/generate.py`;\n"
        "[what it means](../explanation/who-answered.md).\n\n"
        f"What is believed:\n\n{_listed(State)}\nWhat is heard:\n\n{_listed(Heard)}\n"
        "A row that takes back a verdict is followed once in a call. What has no row changes\n"
        "nothing.\n\n"
        f"```mermaid\nstateDiagram-v2\n    [*] --> {State.WAITING}\n"
        + "".join(f"    {a} --> {b}: {', '.join(heard)}\n" for (a, b), heard in edges.items())
        + "```\n\n| believed | heard | then | told | takes back |\n|---|---|---|---|---|\n"
        + rows
    )


def log_events_page() -> str:
    """Everything that is logged."""
    lines = [f"| `{name}` | {words} |\n" for name, words in sorted(EVENTS.items())]
    return (
        "# Log events\n\n"
        "Drawn from `dialer/log_events.py` by `python docs/generate.py`. Every line of the log\n"
        "has one of these as its `event`; [how to read them](../how-to/monitoring.md#logs).\n\n"
        "| event | meaning |\n|---|---|\n" + "".join(lines)
    )


def commands_page() -> str:
    """Every command with its words, what they mean, and an example."""
    root = cli.tree()
    parts = [
        (
            "# Commands\n\n"
            "Drawn from the commands themselves by `python docs/generate.py`; `--help` behind any\n"
            "of them says the same. Data goes to stdout, words to stderr.\n\n"
            "These options go for every command, wherever they stand in the line:\n\n"
            f"{_options_table(root)}"
        )
    ]
    kinds: dict[str, list[str]] = {}
    for name, noun in cli.NOUNS.items():
        kinds.setdefault(noun.kind, []).append(name)
    for kind, names in kinds.items():
        parts.append(f"\n## {kind}\n")
        for name in names:
            parts += _commands_below(root.get_command(None, name), name)
    return "".join(parts)


def _commands_below(command: Any, words: str) -> Iterator[str]:
    if hasattr(command, "list_commands"):
        for name in command.list_commands(None):
            yield from _commands_below(command.get_command(None, name), f"{words} {name}")
        return
    needed = " ".join(
        _argument_text(each) for each in command.params if each.param_type_name == "argument"
    )
    yield f"\n### `{f'dialer {words} {needed}'.strip()}`\n\n{_plain(command.help)}\n"
    own = [each for each in command.params if not getattr(each, "hidden", False)]
    table = _options_table(command, [each for each in own if "--output" not in each.opts])
    if table:
        yield f"\n{table}"
    example = (command.epilog or "").removesuffix(MORE_OPTIONS).strip()
    if example:
        heading, _, commands = example.partition(": ")
        yield f"\n{heading}:\n\n"
        yield from (f"    {each.strip()}\n" for each in commands.split(" · "))


def _argument_text(argument: Any) -> str:
    name = (argument.metavar or argument.name.rstrip("_")).upper()
    if argument.nargs == -1:
        name += "…"
    return name if argument.required else f"[{name}]"


def _options_table(command: Any, params: Sequence[Any] | None = None) -> str:
    rows = []
    for each in command.params if params is None else params:
        words = each.help or ""
        if each.param_type_name == "argument":
            named = _argument_text(each).strip("[]…")
        else:
            flags = [*each.opts, *each.secondary_opts]
            named = ", ".join(sorted(flags, key=len))
        rows.append(f"| `{named}` | {_plain(words)} |\n".replace("`|`", "`"))
    return f"| option | meaning |\n|---|---|\n{''.join(rows)}" if rows else ""


def _plain(text: str | None) -> str:
    """A help text on one line each paragraph, safe inside a table."""
    paragraphs = [" ".join(each.split()) for each in (text or "").split("\n\n")]
    return "\n\n".join(paragraphs).replace("|", "\\|").replace("<", "&lt;")


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "reference/states.md": states_page,
    "reference/settings.md": settings_page,
    "reference/reasons.md": reasons_page,
    "reference/commands.md": commands_page,
    "reference/log-events.md": log_events_page,
    "reference/calling-rules-table.md": rules_page,
    "reference/who-answered.md": who_answered_page,
}


def main() -> int:
    """Write the pages, or with --check name those that differ."""
    stale = []
    for name, page in PAGES.items():
        path, text = ROOT / name, page()
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    for name in stale:
        sys.stderr.write(f"docs/{name} is not what the code says; run: python docs/generate.py\n")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Draw the reference pages that follow from the code; a test compares them with the files.

python docs/generate.py            write the pages
python docs/generate.py --check    exit 1 when a page is not what the code says
"""

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from dialer import states
from dialer.hours_format import format_weekly
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
            "Flags come first, then environment variables, `.env`, the TOML file\n"
            "(`dialer.toml`, or the one `DIALER_CONFIG` names), and last the defaults below.\n"
            "In the TOML file a setting has the name of its variable in small letters,\n"
            "without `DIALER_`.\n\n"
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


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "reference/states.md": states_page,
    "reference/settings.md": settings_page,
    "reference/reasons.md": reasons_page,
    "reference/calling-rules-table.md": rules_page,
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

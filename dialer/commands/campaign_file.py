"""A campaign as a TOML file: its settings by the names of ``campaign settings``.

Values are what a flag would say, as text; numbers, truth values and lists may be written as TOML
has them, too.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dialer.commands.campaign_settings import LOOKED_UP, SETTINGS, setting_name
from dialer.errors import UsageError

#: Names that are left out of a file when they say nothing.
_OPTIONAL: Final = frozenset(
    {"notes", "labels", "start_at", "retry_rule", "schedule", "amd_shadow"}
)


def read(path: Path) -> dict[str, str]:
    """The settings in a file as texts; raises UsageError naming the file and what is wrong."""
    try:
        return from_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", next_step=error.next_step) from error


def from_toml(text: str) -> dict[str, str]:
    """The settings a TOML text states."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"not TOML: {error}") from error
    texts: dict[str, str] = {}
    for given, value in found.items():
        name = setting_name(given)
        if name in texts:
            raise UsageError(f"{name} is stated twice")
        texts[name] = _text(name, value)
    return texts


def to_toml(texts: Mapping[str, str]) -> str:
    """The file that reads as *texts*, with what each setting means."""
    lines = []
    for name, text in texts.items():
        about = SETTINGS[name].about if name in SETTINGS else LOOKED_UP[name]
        if name in _OPTIONAL and text in ("", "none"):
            continue
        lines += [f"# {about}", f"{name} = {_quoted(text)}", ""]
    return "\n".join(lines)


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, (str, int, float)) for each in value):
        return ",".join(map(str, value))
    if isinstance(value, dict) and name == "retry_rule":
        return "; ".join(f"{outcome}={_text('', waits)}" for outcome, waits in value.items())
    if hasattr(value, "isoformat"):  # TOML has times of its own
        return str(value.isoformat())
    raise UsageError(f"{name}: {value!r} cannot be a setting; write it as a text")


def _quoted(text: str) -> str:
    """A basic string of TOML, which but for one control character is one of JSON."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

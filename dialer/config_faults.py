"""Everything that is wrong with the settings, wherever it stands; see ``configuration.py``.

Reading the settings ends at the first fault, because nothing can be done with them. Whoever mends
them wants to know all.
"""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import DotEnvSettingsSource

from dialer import configuration
from dialer.configuration import PREFIX, variable
from dialer.errors import UsageError
from dialer.settings import Settings, is_secret
from dialer.suggestions import close_matches
from dialer.timezones import zone
from dialer.value_words import refusal

UNKNOWN: Final = "unknown setting"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in one place; *value* is None where there is none, or none that may be told."""

    place: str
    key: str = ""  # empty: the place itself cannot be read
    value: str | None = None
    why: str = ""
    meant: str = ""  # the key that is spelled most like it


def everywhere(config: str | None = None) -> list[Fault]:
    """Every fault in every place that has a say; *config* as in ``settings.load``."""
    found = [*_environment(), *_credentials(), *_dotenv()]
    try:
        files = configuration.config_files(config)
    except UsageError as error:
        return [*found, Fault(place="--config" if config else "environment", why=error.message)]
    return found + [fault for file in files if file.exists() for fault in in_file(file)]


def in_file(file: Path) -> list[Fault]:
    """Every fault in a TOML file."""
    try:
        text = file.read_bytes().decode("utf-8")
    except OSError as error:
        return [Fault(str(file), why=error.strerror or type(error).__name__)]
    except UnicodeDecodeError:
        return [Fault(str(file), why="it is not UTF-8")]
    return in_text(text, str(file))


def in_text(text: str, place: str) -> list[Fault]:
    """Every fault in what a TOML file says or is to say."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return [Fault(place, why=str(error))]
    return list(_in_values(values, place))


def _in_values(
    values: Mapping[str, Any], place: str, *, names: Mapping[str, str] | None = None
) -> Iterator[Fault]:
    """Unknown keys, then values that cannot be used; *names* are the keys as they stand there."""
    shown = names or {}
    for key, value in values.items():
        if key not in Settings.model_fields:
            yield Fault(place, shown.get(key, key), None, UNKNOWN, _meant(key, bool(shown)))
        elif why := trouble(key, value):
            quoted = None if is_secret(key) else repr(value)
            yield Fault(place, shown.get(key, key), quoted, why)


def trouble(name: str, value: object) -> str:
    """Why a setting cannot have a value; empty when it can. Tells nothing of a secret's value."""
    try:
        Settings.model_validate({name: value})
        if name == "default_zone":
            zone(str(value))
    except ValidationError as error:
        return refusal(error.errors()[0])
    except UsageError as error:
        return error.message
    return ""


def _meant(key: str, is_variable: bool) -> str:
    (meant,) = close_matches(key, Settings.model_fields)[:1] or ("",)
    return variable(meant) if meant and is_variable else meant


def _environment() -> Iterator[Fault]:
    given = {
        name.removeprefix(PREFIX).lower(): name
        for name in os.environ
        if name.startswith(PREFIX) and name not in configuration.OTHER_VARIABLES
    }
    values = {key: os.environ[name] for key, name in given.items()}
    return _in_values(values, "environment", names=given)


def _dotenv() -> Iterable[Fault]:
    place = configuration.DOTENV
    try:
        source = DotEnvSettingsSource(Settings, place, dotenv_filtering="match_prefix")
        values = source()
    except OSError as error:
        return [Fault(place, why=error.strerror or type(error).__name__)]
    except UnicodeDecodeError:
        return [Fault(place, why="it is not UTF-8")]
    return _in_values(values, place, names={key: variable(key) for key in values})


def _credentials() -> Iterator[Fault]:
    """Files named as settings, or nearly so; their contents are never told."""
    folder = os.environ.get(configuration.CREDENTIALS_VARIABLE)
    place = f"${configuration.CREDENTIALS_VARIABLE}"
    try:
        files = sorted(Path(folder).iterdir()) if folder else []
        for file in files:
            if file.name in Settings.model_fields:
                text = file.read_text(encoding="utf-8").rstrip("\r\n")
                if why := trouble(file.name, text):
                    yield Fault(place, file.name, None, why if is_secret(file.name) else _plain)
            elif meant := _meant(file.name, is_variable=False):
                yield Fault(place, file.name, None, UNKNOWN, meant)
    except (OSError, UnicodeDecodeError) as error:
        yield Fault(place, why=getattr(error, "strerror", None) or "it cannot be read")


#: A credential's value is not told, and neither is a message that may quote it.
_plain: Final = "its value cannot be used"

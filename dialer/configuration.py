"""The places settings are read from; whatever comes first names a setting and decides it.

Flags, environment variables behind ``DIALER_``, the files of ``$CREDENTIALS_DIRECTORY`` (as
systemd and container engines hand secrets over), ``.env``, then TOML files: ``dialer.toml`` in
the working directory, the user's and the system's. A key nobody knows is an error wherever it
stands: a misspelt one must not be passed over in silence.
"""

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource

from dialer.errors import UsageError
from dialer.suggestions import close_matches, did_you_mean

PREFIX: Final = "DIALER_"
CONFIG_VARIABLE: Final = "DIALER_CONFIG"
#: Variables with the prefix that are no settings: where to look, how
#: screens are drawn, and what the tests run on.
OTHER_VARIABLES: Final = frozenset({CONFIG_VARIABLE, "DIALER_ASCII", "DIALER_TEST_POSTGRES"})
CREDENTIALS_VARIABLE: Final = "CREDENTIALS_DIRECTORY"
DOTENV: Final = ".env"
CONFIG_NAME: Final = "dialer.toml"
#: The system's file; see hier(7).
SYSTEM_CONFIG: Final = Path("/etc/dialer") / CONFIG_NAME


@dataclass(frozen=True, slots=True)
class Layer:
    """What one place says, by setting, and what the place is called in messages."""

    values: Mapping[str, Any]
    origin: Callable[[str], str]
    secret: bool = False  # whatever stands there is never quoted


@dataclass(frozen=True, slots=True)
class Decided:
    """The value of every setting that some place names, and which place that was."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    secrets: frozenset[str]  # names of those whose place is for secrets


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def _flag(name: str) -> str:
    return f"flag --{name.removesuffix('_s').replace('_', '-')}"  # which needs no unit


def decide(
    settings: type[BaseSettings], flags: Mapping[str, Any], config: str | None = None
) -> Decided:
    """Ask every place; raises UsageError for a key or a file that cannot be used.

    *config* takes the place of ``DIALER_CONFIG``: with either, no other TOML file is looked for.
    An empty one means none at all.
    """
    layers = [
        Layer(flags, _flag),
        Layer(_environment(settings), lambda name: f"environment {variable(name)}"),
        Layer(_credentials(settings), lambda name: f"credential {name}", secret=True),
        Layer(_dotenv(settings), lambda _: DOTENV),
        *(_toml(settings, file) for file in config_files(config)),
    ]
    deciding = {name: layer for layer in reversed(layers) for name in layer.values}
    return Decided(
        values={name: layer.values[name] for name, layer in deciding.items()},
        origins={name: layer.origin(name) for name, layer in deciding.items()},
        secrets=frozenset(name for name, layer in deciding.items() if layer.secret),
    )


def _environment(settings: type[BaseSettings]) -> Mapping[str, Any]:
    known = {variable(name) for name in settings.model_fields} | OTHER_VARIABLES
    given = [name for name in os.environ if name.startswith(PREFIX)]
    _require_known(given, known, "the environment")
    return EnvSettingsSource(settings)()


def _dotenv(settings: type[BaseSettings]) -> Mapping[str, Any]:
    """What ``.env`` says; lines without the prefix are other programs'."""
    try:
        values = DotEnvSettingsSource(settings, DOTENV, dotenv_filtering="match_prefix")()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(DOTENV, error) from None
    known = {variable(name) for name in settings.model_fields}
    _require_known(map(variable, values), known, DOTENV)
    return values


def _credentials(settings: type[BaseSettings]) -> Mapping[str, str]:
    """One file for each setting, named as it; the line's end of what an editor wrote is none."""
    directory = os.environ.get(CREDENTIALS_VARIABLE)
    if not directory:
        return {}
    found = {}
    try:
        for file in Path(directory).iterdir():
            if file.name in settings.model_fields:
                found[file.name] = file.read_text(encoding="utf-8").rstrip("\r\n")
            elif close_matches(file.name, settings.model_fields):
                # What looks like no setting at all may be for a program that is started here.
                _require_known([file.name], settings.model_fields, f"${CREDENTIALS_VARIABLE}")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(f"${CREDENTIALS_VARIABLE} ({directory})", error) from None
    return found


def config_files(config: str | None) -> Sequence[Path]:
    """The TOML files that count, the deciding one first."""
    named = os.environ.get(CONFIG_VARIABLE) if config is None else config
    if named is None:
        return [file for file in (Path(CONFIG_NAME), _user_config(), SYSTEM_CONFIG) if file]
    if named and not Path(named).is_file():
        by = CONFIG_VARIABLE if config is None else "--config"
        raise UsageError(f"{by} names {named}, and there is no such file")
    return [Path(named)] if named else []


def _user_config() -> Path | None:
    """The user's file, if the user has a home that may be looked into."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    try:
        file = Path(home).expanduser() / "dialer" / CONFIG_NAME
    except RuntimeError:  # a container's user may have no home
        return None
    return file if os.access(file, os.F_OK) else None


def _toml(settings: type[BaseSettings], file: Path) -> Layer:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        values = {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _unreadable(str(file), error) from None
    _require_known(values, settings.model_fields, str(file))
    return Layer(values, lambda _: str(file))


def _require_known(names: Iterable[str], known: Iterable[str], place: str) -> None:
    known = set(known)
    for name in names:
        if name not in known:
            hint = did_you_mean(close_matches(name, known))
            raise UsageError(f"unknown setting {name} in {place}{hint}")


def _unreadable(place: str, error: Exception) -> UsageError:
    """Says what is wrong with a file without a word of what is in it."""
    if isinstance(error, OSError):
        why = error.strerror or type(error).__name__
    elif isinstance(error, UnicodeDecodeError):
        why = "it is not UTF-8"
    else:
        why = str(error)
    return UsageError(f"{place} cannot be read: {why}")

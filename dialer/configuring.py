"""Settings as operators handle them: look at, change in a file, find out what is wrong."""

import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from dialer import config_faults, config_file, configuration
from dialer.config_faults import Fault
from dialer.config_file import Scalar
from dialer.configuration import CONFIG_NAME, CONFIG_VARIABLE, CREDENTIALS_VARIABLE, variable
from dialer.errors import NotFoundError, UsageError
from dialer.own_files import replace_text
from dialer.pre_dial import sources as pre_dial
from dialer.settings import Settings, is_secret
from dialer.store.naming import shown
from dialer.suggestions import close_matches, did_you_mean

SET: Final = "set"
NOT_SET: Final = "not set"
#: A DSN may have its password among its parameters (libpq, "Connection URIs").
_PASSWORD: Final = re.compile(r"(?<=[?&]password=)[^&]*")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting in force; a secret's value only says whether there is one."""

    name: str
    value: Scalar
    origin: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What a file is to say; *value* is None where it leaves the setting out from now on."""

    file: Path
    name: str
    value: Scalar | None
    before: Scalar | None
    text: str
    others: Sequence[Fault]  # in the same file, and no business of this change

    def make(self) -> None:
        """Write the file, whole or not at all; a new one is its owner's alone."""
        replace_text(self.file, self.text)


@dataclass(frozen=True, slots=True)
class Place:
    """A place that settings are looked for in."""

    what: str
    path: str
    exists: bool


# -- looking --------------------------------------------------------------------------------------


def listed(settings: Settings) -> list[Setting]:
    """Every setting, in the order of the reference."""
    origins = settings.origins()
    return [
        Setting(name, told(settings, name), origins[name], _is_wholly_secret(name))
        for name in Settings.model_fields
    ]


def told(settings: Settings, name: str) -> Scalar:
    """A setting's value as anybody may see it."""
    value: Any = getattr(settings, name)
    return masked(name, value.get_secret_value() if isinstance(value, SecretStr) else value)


def masked(name: str, value: Scalar) -> Scalar:
    """A value without what may be secret in it: a password, a program's arguments, a path.

    A key that is no setting may be a misspelt secret.
    """
    if name not in Settings.model_fields or _is_wholly_secret(name):
        return SET if value else NOT_SET
    if name == "database":
        return _PASSWORD.sub("***", shown(str(value)))
    if name == "pre_dial_check":
        return _masked_check(str(value))
    return value


def _masked_check(text: str) -> str:
    match pre_dial.parse(text):
        case pre_dial.Command(args=args):
            more = " …" if len(args) > 1 else ""
            return f"{pre_dial.COMMAND}{args[0]}{more}"
        case pre_dial.Address(url=url) as address:
            return f"{urlsplit(url).scheme}://{address.host}/…"
        case _:
            return text


def known(name: str) -> str:
    """The setting somebody names, by itself or by its variable; raises NotFoundError."""
    plain = name.lower().replace("-", "_").removeprefix(configuration.PREFIX.lower())
    if plain not in Settings.model_fields:
        hint = did_you_mean(close_matches(plain, Settings.model_fields))
        raise NotFoundError(f"there is no setting {name!r}{hint}", next_step="dialer config show")
    return plain


def places(config: str | None) -> list[Place]:
    """Where settings are looked for, the place that decides first; raises UsageError."""
    folder = os.environ.get(CREDENTIALS_VARIABLE, "")
    return [
        Place("credentials", folder or f"${CREDENTIALS_VARIABLE}", bool(folder)),
        Place("variables", configuration.DOTENV, Path(configuration.DOTENV).is_file()),
        *(
            Place("settings", str(file), file.is_file())
            for file in configuration.config_files(config)
        ),
    ]


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a TOML file of settings."""
    return Settings.model_json_schema() | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": CONFIG_NAME,
        "description": "Settings of one deployment; a table or a key nobody knows is an error.",
    }


# -- changing -------------------------------------------------------------------------------------


def file_in_force(config: str | None, named: Path | None = None) -> Path:
    """The file to change: the one *named*, the first that is read and there, else a new one.

    Raises UsageError where no file is read at all.
    """
    if named is not None:
        return named
    files = configuration.config_files(config)
    if not files:
        raise UsageError(
            f"{CONFIG_VARIABLE} is empty, so no file is read", next_step="name one with --file"
        )
    return next((file for file in files if file.is_file()), files[0])


def assigned(file: Path, name: str, text: str) -> Change:
    """The change that sets *name* to what *text* says; raises UsageError for what no file is to
    hold, or the setting cannot be.
    """
    _refuse_secret(name, text)
    if why := config_faults.trouble(name, text):
        quoted = "" if is_secret(name) else f" = {text!r}"
        raise UsageError(f"setting {name}{quoted}: {why}")
    value: Scalar = getattr(Settings.model_validate({name: text}), name)
    before = _read(file)
    return _change(file, name, value, before, config_file.assign(before, name, value))


def removed(file: Path, name: str) -> Change:
    """The change that takes *name* out; raises NotFoundError where the file does not set it."""
    before = _read(file)
    after = config_file.remove(before, name)
    if after == before:
        raise NotFoundError(
            f"{file} does not set {name}", next_step=f"dialer config show --where name={name}"
        )
    return _change(file, name, None, before, after)


def _change(file: Path, name: str, value: Scalar | None, before: str, after: str) -> Change:
    others = [fault for fault in config_faults.in_text(after, str(file)) if fault.key != name]
    was = tomllib.loads(before).get(name)
    return Change(file, name, value, was, after, others)


def _read(file: Path) -> str:
    """What a file says, which is nothing where there is none; raises UsageError."""
    if not file.exists():
        return ""
    unreadable = [fault for fault in config_faults.in_file(file) if not fault.key]
    if unreadable:
        raise UsageError(f"{file} cannot be read: {unreadable[0].why}")
    return file.read_bytes().decode("utf-8")


def _refuse_secret(name: str, text: str) -> None:
    if not (_is_wholly_secret(name) or _hides(name, text)):
        return
    raise UsageError(
        f"{name} would be a secret in a file that others may read",
        next_step=f"put it into {variable(name)}, a line of .env, or a file named {name} in"
        f" ${CREDENTIALS_VARIABLE}",
    )


def _hides(name: str, text: str) -> bool:
    """Whether a value has a part that is not told; one that cannot be read has none."""
    try:
        return masked(name, text) != text
    except UsageError:
        return False


def _is_wholly_secret(name: str) -> bool:
    """Whether nothing of the value is told, as it is of those that may hold a secret."""
    return Settings.model_fields[name].annotation is SecretStr

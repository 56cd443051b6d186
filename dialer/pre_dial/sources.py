"""What the setting names: a command, an address, an entry point, or nothing."""

import shlex
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from dialer.errors import UsageError

COMMAND: Final = "command:"
ENTRY: Final = "entry:"

FORMS: Final = "command:/path --flag, https://host/path or entry:NAME"


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, run without a shell."""

    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Address:
    """Where questions are posted to."""

    url: str

    @property
    def host(self) -> str:
        """The part that may be told: the rest may hold a secret."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A function that an installed package offers."""

    name: str


Source: TypeAlias = Command | Address | EntryPoint


def parse(text: str) -> Source | None:
    """Read the setting, None for an empty one; raises UsageError for anything else."""
    if not text:
        return None
    if text.startswith(COMMAND):
        return _command(text)
    if text.startswith(ENTRY) and (name := text.removeprefix(ENTRY).strip()):
        return EntryPoint(name)
    if _is_address(text):
        return Address(text)
    raise UsageError(f"not a check: {text!r}; write {FORMS}")


def _command(text: str) -> Command:
    try:
        args = shlex.split(text.removeprefix(COMMAND))
    except ValueError as error:
        raise UsageError(f"not a command: {text!r}: {error}") from None
    if not args:
        raise UsageError(f"not a check: {text!r}; write {FORMS}")
    return Command(tuple(args))


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host) and not text.split()[1:]

"""The key of erased phone numbers: from a setting, or from a file beside the database."""

import os
import stat
from pathlib import Path
from typing import Final

from dialer.erased import PhoneKey
from dialer.errors import UnreachableError, UsageError
from dialer.own_files import clear_away, make_durable, partial_of, private
from dialer.randomness import secret_bytes

#: HMAC-SHA256 takes as much chance as its hash is long.
_BYTES: Final = 32
#: Everybody but the owner and the owner's group, which a secret may be given to.
_OTHERS: Final = 0o007
#: A text that is shorter can be found by trying.
_LEAST_CHARACTERS: Final = 32


def phone_key(database: str, secret: str, file: str, *, make: bool = False) -> PhoneKey:
    """The key of a *database*: the *secret*, what is in *file*, or the file beside a SQLite one.

    That one is made, for its owner alone, when *make* allows it. Raises UsageError when there is
    no key, or one that could be guessed.
    """
    if secret:
        return _of_text(secret, "DIALER_PRIVACY_KEY")
    if file:
        return _of_text(_read(Path(file)), f"the key in {file}")
    if "://" in database:
        raise UsageError(
            "erased numbers are known by a key, and DIALER_PRIVACY_KEY is not set",
            next_step="make one and keep it: openssl rand -hex 32",
        )
    beside = key_file(Path(database))
    if make:
        _make(beside)
    elif not beside.exists():
        raise UsageError(
            f"erased numbers are known by the key in {beside}, and it is not there",
            next_step="bring it back, or set DIALER_PRIVACY_KEY_FILE to where it is",
        )
    return _of_text(_read(beside), f"the key in {beside}")


def key_file(database: Path) -> Path:
    """Where the key of a SQLite database lies: under all its names it has one."""
    file = database.resolve()
    return file.with_name(f"{file.name}.key")


def _of_text(text: str, name: str) -> PhoneKey:
    if len(text.strip()) < _LEAST_CHARACTERS:
        raise UsageError(
            f"{name} is shorter than {_LEAST_CHARACTERS} characters and could be guessed",
            next_step="openssl rand -hex 32",
        )
    return PhoneKey(text.strip().encode())


def _read(file: Path) -> str:
    try:
        if stat.S_IMODE(file.stat().st_mode) & _OTHERS:
            raise UsageError(
                f"the key in {file} can be read by others: with it and the database they could"
                " find out who was erased",
                next_step=f"chmod 600 {file}",
            )
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the key in {file} cannot be read: {error}") from None


def _make(file: Path) -> None:
    """Write a new key, unless there is one; whole and durable before it has its name."""
    if file.exists():
        return
    partial = partial_of(file)
    try:
        descriptor = private(os.fspath(partial), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            os.write(descriptor, f"{secret_bytes(_BYTES).hex()}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _name(partial, file)
    except OSError as error:
        raise UnreachableError(
            f"the key {file} cannot be made: {error.strerror}",
            next_step="make the folder writable, or set DIALER_PRIVACY_KEY",
        ) from error
    finally:
        clear_away(partial)


def _name(partial: Path, file: Path) -> None:
    """Give a key its name; whoever was first has made it."""
    try:
        file.hardlink_to(partial)
    except FileExistsError:
        return
    make_durable(file.parent)

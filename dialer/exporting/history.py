"""What was exported: who asked for which file, and where it lies."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dialer import audit_log, work
from dialer.errors import NotFoundError, WrongStateError
from dialer.lists.csvout import STDOUT, placed
from dialer.ports import Row, Tx

_CHUNK: Final = 1 << 20


def kept_path(path: Path) -> str:
    """The path as it is kept: from wherever somebody asks for it."""
    return str(path if path == STDOUT else path.absolute())


async def listed(tx: Tx, now: int, *, limit: int) -> Sequence[Mapping[str, Any]]:
    """The newest exports first, each in the state its job is seen in."""
    return [_seen(row, now) for row in await tx.rows("list_exports", limit=limit)]


async def found(tx: Tx, export_id: int, now: int) -> Mapping[str, Any]:
    """One export in the state its job is seen in; raises NotFoundError."""
    row = await tx.row("export_by_id", export_id=export_id)
    if row is None:
        raise NotFoundError(f"there is no export {export_id}", next_step="dialer exports list")
    return _seen(row, now)


def file_of(export: Mapping[str, Any]) -> Path:
    """Where the file of an export lies.

    Raises WrongStateError when none was written, or not to a file, and NotFoundError when it is
    not there any more.
    """
    name, path = f"export {export['id']}", Path(export["path"])
    if export["finished_at"] is None:
        raise WrongStateError(
            f"{name} is {export['state']}: there is no file of it",
            next_step=f"dialer jobs show {export['job_id']}",
        )
    if path == STDOUT:
        raise WrongStateError(f"{name} went to standard output; dialer keeps no copy")
    if not path.is_file():
        raise NotFoundError(
            f"the file of {name} is not there any more: {path}",
            next_step=f"dialer {export['what']} export",
        )
    return path


def copied(export: Mapping[str, Any], target: Path) -> tuple[Path, int]:
    """Write the file of an export once more, to *target* or into that folder; returns where it is
    and its bytes. Raises as :func:`file_of` does, and UsageError when it cannot be written.
    """
    source, size = file_of(export), 0
    if target.is_dir():
        target /= source.name
    with source.open("rb") as original, placed(target) as file:
        while chunk := original.read(_CHUNK):
            size += file.write(chunk)
    return target, size


async def record_copy(tx: Tx, export: Mapping[str, Any], target: Path, size: int, now: int) -> None:
    """Write down that people's data lies in one more place."""
    after = {"export_id": export["id"], "bytes": size}
    await audit_log.record(tx, "exports.get", kept_path(target), now, after=after)


def _seen(row: Row, now: int) -> Mapping[str, Any]:
    return dict(row) | {"state": work.state_of(row, now)}

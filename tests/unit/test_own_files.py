"""Small files of our own, where they cannot be written."""

import errno
import os
from pathlib import Path

import pytest

from dialer import own_files
from dialer.errors import UnreachableError


def test_a_disk_that_is_read_only_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_arguments: object, **_options: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", read_only)
    monkeypatch.setattr(Path, "unlink", read_only)  # even of what is not there

    with pytest.raises(UnreachableError, match="Read-only file system"):
        own_files.replace_text(tmp_path / "dialer.toml", "port = 1\n")

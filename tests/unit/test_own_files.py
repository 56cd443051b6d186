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


def test_a_file_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("old")

    with own_files.named_when_whole(file) as place:
        place.write_text("new")
        before = file.read_text()

    assert (before, file.read_text()) == ("old", "new")
    assert [*tmp_path.iterdir()] == [file]


def test_what_is_not_written_to_its_end_leaves_all_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("old")

    def write_half() -> None:
        with own_files.named_when_whole(file) as place:
            place.write_text("ne")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()

    assert [(each, each.read_text()) for each in tmp_path.iterdir()] == [(file, "old")]


def test_a_link_leads_where_it_led(tmp_path: Path) -> None:
    file, link = tmp_path / "list.csv", tmp_path / "link.csv"
    file.write_text("old")
    link.symlink_to(file)

    with own_files.named_when_whole(link) as place:
        place.write_text("new")

    assert (link.is_symlink(), file.read_text()) == (True, "new")

"""Logs are for reading; whether they can be written decides about nothing else."""

import io
import json
import sys
from collections.abc import Iterator
from errno import ENOSPC

import pytest
import structlog

from dialer import logs


@pytest.fixture(autouse=True)
def configured_as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


class Full(io.StringIO):
    """A file on a disk that has no room, until it has."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(ENOSPC, "No space left on device")
        return super().write(text)

    def flush(self) -> None:
        if self.full:
            raise OSError(ENOSPC, "No space left on device")


def test_what_cannot_be_written_is_lost_and_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Full()
    monkeypatch.setattr(sys, "stderr", disk)
    logs.configure("json", "info")

    structlog.get_logger().info("call.ended")
    disk.full = False
    structlog.get_logger().info("call.ended", phone="+15551234567")

    assert json.loads(disk.getvalue())["phone"] == "+1555***567"

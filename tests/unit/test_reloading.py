"""What a daemon does with settings it has read again, besides what its engine does."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
import structlog

from dialer import logs, reloading
from dialer.metrics.registry import Metrics
from dialer.reloading import Reloading
from dialer.settings import Settings

SET_UP: dict[str, Any] = {
    "twilio_account_sid": "AC" + "1" * 32,
    "twilio_auth_token": "an-old-token",
    "public_url": "https://dial.example.org",
}


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


async def reloaded(read: Settings, metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    app: Any = SimpleNamespace(
        engine=MagicMock(),
        settings=Settings(**SET_UP),
        reconnect=AsyncMock(),
        monitoring=SimpleNamespace(metrics=metrics),
    )
    app.engine.clock.now.return_value = 0
    monkeypatch.setattr(reloading, "web_from", MagicMock())
    await Reloading(app, MagicMock(), lambda: read).reload()


async def test_the_lines_there_may_be_are_told_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics(lines_limit=30)
    assert metrics.registry.get_sample_value("dialer_lines_limit") == 30

    await reloaded(Settings(**SET_UP, max_concurrent=7), metrics, monkeypatch)

    assert metrics.registry.get_sample_value("dialer_lines_limit") == 7


async def test_new_secrets_are_hidden_even_where_they_wait_for_a_restart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("json", "info", secrets=["an-old-token"])
    read = SET_UP | {"twilio_auth_token": "a-new-token", "privacy_key": "a-new-key"}

    await reloaded(Settings(**read), Metrics(), monkeypatch)
    structlog.get_logger().info("told", text="an-old-token, a-new-token, a-new-key")

    *_, line = capsys.readouterr().err.splitlines()
    assert "token" not in json.loads(line)["text"]
    assert "a-new-key" not in line

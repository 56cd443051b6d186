"""What the log keeps when words of calls cannot be taken in: nothing the sender chose to write."""

import json

import pytest
from structlog.testing import capture_logs

from dialer.errors import StoreBusyError
from dialer.store.opening import AnyDatabase
from tests.support.listening import API_TOKEN, VOICEMAIL, Line, line_to


async def prompted(line: Line, call: str) -> int:
    """An agent tells what it hears in *call*; gives the status of the reply."""
    reply = await line.http.post(
        f"/api/v1/calls/{call}/prompts",
        content=json.dumps({"type": "prompt", "voicePrompt": VOICEMAIL}).encode(),
        headers={"Authorization": f"Bearer {API_TOKEN}"},
    )
    return reply.status_code


async def test_a_failed_transcription_is_logged_masked_and_short(
    store: str, database: AnyDatabase
) -> None:
    why = "no engine for +15551234567 " * 100
    async with line_to(store, database) as line:
        with capture_logs() as logs:
            await line.post(
                "transcript",
                {"TranscriptionEvent": "transcription-error", "TranscriptionError": why},
            )

    (failed,) = [entry for entry in logs if entry["event"] == "transcription.failed"]
    assert failed["error"].startswith("no engine for +1555***567")
    assert "1234567" not in failed["error"]
    assert len(failed["error"]) == 200


async def test_a_prompt_that_cannot_be_taken_in_is_logged_by_its_attempt(
    store: str, database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_given: object) -> None:
        raise StoreBusyError("database is locked")

    async with line_to(store, database) as line:
        await line.answer()
        monkeypatch.setattr(line.daemon.engine.listener, "words", busy)
        with capture_logs() as logs:
            assert await prompted(line, line.sid) == 503

        (refused,) = [entry for entry in logs if entry["event"] == "event.refused"]
        assert refused["attempt"] == line.claim.attempt_id
        assert line.sid not in map(str, refused.values())


async def test_what_an_agent_calls_a_call_is_not_logged(
    store: str, database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line_to(store, database) as line:

        def busy() -> None:
            raise StoreBusyError("database is locked")

        with capture_logs() as logs, monkeypatch.context() as trouble:
            trouble.setattr(line.daemon.engine.database, "read", busy)
            assert await prompted(line, "call-me-+15551234567") == 503

    (refused,) = [entry for entry in logs if entry["event"] == "event.refused"]
    assert refused["attempt"] is None
    assert "call-me" not in str(refused)

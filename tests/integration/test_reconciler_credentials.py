"""A daemon that was given new credentials reconciles with them."""

from pathlib import Path

from dialer.app import build
from dialer.carriers.twilio import TwilioCarrier
from dialer.settings import Settings


async def test_the_carriers_record_is_asked_with_the_credentials_in_force(
    tmp_path: Path, sqlite_template: bytes
) -> None:
    database = tmp_path / "dialer.db"
    database.write_bytes(sqlite_template)
    settings = Settings(
        database=str(database),
        twilio_account_sid="AC" + "1" * 32,
        twilio_auth_token="an-old-token",
        public_url="https://dial.example.org",
    )
    async with build(settings) as app:
        assert app.reconciler is not None
        new = Settings(
            **settings.model_dump() | {"twilio_auth_token": "a-new-token"},
        )

        await app.reconnect(new)

        record = app.reconciler._record()
        assert isinstance(record, TwilioCarrier)
        assert record._config.auth_token == "a-new-token"

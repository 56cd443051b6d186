"""What the adapter is told: addresses that work, credentials that are whole, secrets unseen."""

import pytest

from dialer.carriers.twilio_config import TwilioConfig
from dialer.errors import CredentialsError, UsageError
from dialer.model import AttemptId

ATTEMPT = AttemptId("0123456789abcdef0123456789abcdef")


def config(**changes: str) -> TwilioConfig:
    given = {
        "account_sid": "AC1",
        "auth_token": "token-secret",
        "public_url": "https://dialer.example.com",
    } | changes
    return TwilioConfig(**given)  # type: ignore[arg-type]  # only text is changed here


@pytest.mark.parametrize(
    "public_url",
    [
        "",
        "dialer.example.com",
        "ftp://dialer.example.com",
        "https://",
        "https://my_host.example.com",
        "https://dialer.example.com:port",
        "https://dialer.example.com/?a=b",
        "https://dialer.example.com/#top",
        "https://user@dialer.example.com",
    ],
)
def test_addresses_that_twilio_cannot_use_are_refused_by_name(public_url: str) -> None:
    with pytest.raises(UsageError, match="DIALER_PUBLIC_URL"):
        config(public_url=public_url)


def test_the_attempt_is_the_last_segment_of_every_address() -> None:
    given = config(public_url="https://dialer.example.com/below/")

    root = "https://dialer.example.com/below/twilio"
    assert given.answer_url(ATTEMPT) == f"{root}/answer/{ATTEMPT}"
    assert given.message_url(ATTEMPT) == f"{root}/message/{ATTEMPT}"
    assert given.status_url(ATTEMPT) == f"{root}/status/{ATTEMPT}#rc=2&rp=ct,rt,5xx"
    assert given.amd_url(ATTEMPT) == f"{root}/amd/{ATTEMPT}#rc=2&rp=ct,rt,5xx"


def test_no_overrides_leave_no_fragment() -> None:
    assert config(webhook_overrides="").status_url(ATTEMPT).endswith(ATTEMPT)


def test_an_api_key_goes_before_the_token() -> None:
    assert config().credentials == ("AC1", "token-secret")
    assert config(api_key="SK1", api_secret="key-secret").credentials == ("SK1", "key-secret")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"auth_token": ""}, "DIALER_TWILIO_AUTH_TOKEN"),
        ({"account_sid": ""}, "DIALER_TWILIO_ACCOUNT_SID"),
        ({"auth_token": "", "api_key": "SK1"}, "DIALER_TWILIO_API_SECRET"),
    ],
)
def test_missing_credentials_are_named(changes: dict[str, str], named: str) -> None:
    with pytest.raises(CredentialsError, match=named):
        _ = config(**changes).credentials


def test_secrets_are_not_printed() -> None:
    printed = repr(config(api_key="SK1", api_secret="key-secret", previous_auth_token="old-secret"))

    assert "secret" not in printed

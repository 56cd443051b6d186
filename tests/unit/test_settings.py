"""Where settings come from, which place decides, and what is said when one cannot be used."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer import configuration
from dialer.errors import UsageError
from dialer.settings import Settings, is_secret, load
from tests.support.cli import Cli

SECRETS: Final = sorted(filter(is_secret, Settings.model_fields))
#: The places in the order in which they decide, and what a value of each is said to come from.
PLACES: Final = {
    "flag": "flag --port",
    "environment": "environment DIALER_PORT",
    "credential": "credential port",
    "dotenv": ".env",
    "folder": "dialer.toml",
    "user": "{user}",
    "system": "{system}",
}


class Places:
    """Everywhere a setting may stand, made anew below *root*."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.folder = root / "work"
        self.credentials = root / "credentials"
        self.user = root / "home" / "dialer" / "dialer.toml"
        self.system = root / "etc" / "dialer.toml"
        for each in (self.folder, self.credentials, self.user.parent, self.system.parent):
            each.mkdir(parents=True)
        for name in [name for name in os.environ if name.startswith("DIALER_")]:
            monkeypatch.delenv(name)
        monkeypatch.chdir(self.folder)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(root / "home"))
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(self.credentials))
        monkeypatch.setattr(configuration, "SYSTEM_CONFIG", self.system)

    def put_port(self, place: str, port: int) -> Mapping[str, Any]:
        """Set the port in one of :data:`PLACES`; returns the flags to load with."""
        toml = f"port = {port}\n"
        match place:
            case "flag":
                return {"port": port}
            case "environment":
                self.monkeypatch.setenv("DIALER_PORT", str(port))
            case "credential":
                (self.credentials / "port").write_text(f"{port}\n")
            case "dotenv":
                (self.folder / ".env").write_text(f"DIALER_PORT={port}\n")
            case "folder":
                (self.folder / "dialer.toml").write_text(toml)
            case "user":
                self.user.write_text(toml)
            case "system":
                self.system.write_text(toml)
        return {}

    def named(self, origin: str) -> str:
        return origin.format(user=self.user, system=self.system)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    return Places(tmp_path, monkeypatch)


# -- which place decides --------------------------------------------------------------------------


@given(st.sets(st.sampled_from(list(PLACES))))
def test_the_first_place_that_names_a_setting_decides_and_is_its_origin(chosen: set[str]) -> None:
    order = list(PLACES)
    with TemporaryDirectory() as root, pytest.MonkeyPatch.context() as monkeypatch:
        places = Places(Path(root), monkeypatch)
        flags: dict[str, Any] = {}
        for place in chosen:
            flags |= places.put_port(place, 9000 + order.index(place))

        settings = load(**flags)

        if chosen:
            first = min(chosen, key=order.index)
            expected = (9000 + order.index(first), places.named(PLACES[first]))
        else:
            expected = (8090, "default")
        assert (settings.port, settings.origins()["port"]) == expected
        assert settings.origins().keys() == Settings.model_fields.keys()


def test_the_file_that_is_named_takes_the_place_of_those_that_are_looked_for(
    places: Places, tmp_path: Path
) -> None:
    for place in ("folder", "user", "system"):
        places.put_port(place, 9001)
    named, by_flag = tmp_path / "other.toml", tmp_path / "flag.toml"
    named.write_text("host = '0.0.0.0'\n")
    by_flag.write_text("port = 9002\n")
    places.monkeypatch.setenv("DIALER_CONFIG", str(named))

    by_variable = load()

    assert (by_variable.port, by_variable.host) == (8090, "0.0.0.0")
    assert by_variable.origins()["host"] == str(named)
    assert (load(config=str(by_flag)).port, load(config=str(by_flag)).host) == (9002, "127.0.0.1")
    assert load(config="").origins()["port"] == "default"


def test_a_secret_may_stand_in_a_file_of_its_own(places: Places) -> None:
    (places.credentials / "twilio_auth_token").write_text("s3cret \n")
    (places.credentials / "tls.key").write_bytes(b"\xff\x00")  # of some other program

    settings = load()

    assert settings.twilio_auth_token.get_secret_value() == "s3cret "
    assert settings.origins()["twilio_auth_token"] == "credential twilio_auth_token"
    assert "s3cret" not in repr(settings)


def test_settings_made_by_hand_ask_nobody(places: Places) -> None:
    places.put_port("environment", 9001)
    places.put_port("folder", 9002)

    assert Settings().port == 8090
    assert set(Settings(port=1).origins().values()) == {"default"}


def test_a_home_that_cannot_be_looked_into_is_none(places: Places) -> None:
    places.put_port("user", 9001)
    places.monkeypatch.setenv("XDG_CONFIG_HOME", "~nobody-of-this-name/.config")

    assert load().port == 8090


# -- what cannot be used --------------------------------------------------------------------------


def misspelt_in_environment(places: Places) -> str:
    places.monkeypatch.setenv("DIALER_PUBLIC_ULR", "https://dial.example.org")
    return "unknown setting DIALER_PUBLIC_ULR in the environment; did you mean 'DIALER_PUBLIC_URL'"


def misspelt_in_dotenv(places: Places) -> str:
    (places.folder / ".env").write_text("OTHERS=1\nDIALER_PUBLIC_ULR=https://dial.example.org\n")
    return "unknown setting DIALER_PUBLIC_ULR in .env; did you mean 'DIALER_PUBLIC_URL'"


def misspelt_credential(places: Places) -> str:
    (places.credentials / "twilio_auth_tokn").write_text("s3cret")
    return "unknown setting twilio_auth_tokn in $CREDENTIALS_DIRECTORY; did you mean"


def misspelt_in_toml(places: Places) -> str:
    (places.folder / "dialer.toml").write_text("public_ulr = 's3cret'\n")
    return "unknown setting public_ulr in dialer.toml; did you mean 'public_url'"


def misspelt_for_the_system(places: Places) -> str:
    places.system.write_text("[public_url]\nvalue = 1\n[retries]\nmany = 3\n")
    return f"unknown setting retries in {places.system}"


def no_toml(places: Places) -> str:
    (places.folder / "dialer.toml").write_text("twilio_auth_token = s3cret\n")
    return "dialer.toml cannot be read: Invalid value (at line 1"


def no_text(places: Places) -> str:
    places.user.write_bytes(b"host = '\xff'\n")
    return f"{places.user} cannot be read: it is not UTF-8"


def folder_for_a_file(places: Places) -> str:
    places.system.mkdir()
    return f"{places.system} cannot be read: Is a directory"


def no_text_in_dotenv(places: Places) -> str:
    (places.folder / ".env").write_bytes(b"DIALER_HOST=\xff\n")
    return ".env cannot be read: it is not UTF-8"


def no_credentials(places: Places) -> str:
    places.monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(places.credentials / "none"))
    return f"$CREDENTIALS_DIRECTORY ({places.credentials}/none) cannot be read: No such file"


def no_such_file(places: Places) -> str:
    places.monkeypatch.setenv("DIALER_CONFIG", "gone.toml")
    return "DIALER_CONFIG names gone.toml, and there is no such file"


def no_number_in_environment(places: Places) -> str:
    places.monkeypatch.setenv("DIALER_PORT", "web")
    return "setting port (environment DIALER_PORT) = 'web': it is not a whole number"


def too_large_in_toml(places: Places) -> str:
    places.put_port("folder", 70_000)
    return "setting port (dialer.toml) = 70000: it is not 65535 or less"


def no_number_as_a_credential(places: Places) -> str:
    (places.credentials / "lease_s").write_text("s3cret")
    return "setting lease_s (credential lease_s): it is not a number"


def no_text_for_a_secret(places: Places) -> str:
    (places.folder / "dialer.toml").write_text("api_token = ['s3cret']\n")
    return "setting api_token (dialer.toml): it is not a text"


@pytest.mark.parametrize(
    "mistake",
    [
        misspelt_in_environment,
        misspelt_in_dotenv,
        misspelt_credential,
        misspelt_in_toml,
        misspelt_for_the_system,
        no_toml,
        no_text,
        folder_for_a_file,
        no_text_in_dotenv,
        no_credentials,
        no_such_file,
        no_number_in_environment,
        too_large_in_toml,
        no_number_as_a_credential,
        no_text_for_a_secret,
    ],
)
def test_a_mistake_is_refused_with_the_place_where_it_stands_and_no_secret(
    places: Places, mistake: Callable[[Places], str]
) -> None:
    words = mistake(places)

    with pytest.raises(UsageError) as refused:
        load()

    assert refused.value.message.startswith(words)
    assert "s3cret" not in refused.value.message


def test_a_file_that_the_flag_names_has_to_be_there(places: Places) -> None:
    with pytest.raises(UsageError, match=r"--config names gone\.toml, and there is no such file"):
        load(config="gone.toml")


def test_a_flag_nobody_knows_is_refused_with_the_closest(places: Places) -> None:
    with pytest.raises(UsageError, match="unknown setting 'prot'; did you mean 'port'"):
        load(prot=1)


def test_secrets_are_known_for_what_they_are() -> None:
    assert {"twilio_auth_token", "api_token", "privacy_key", "database", "pre_dial_check"} <= {
        *SECRETS
    }
    assert not {"port", "public_url", "twilio_account_sid"} & {*SECRETS}
    assert is_secret("what nobody knows")


def test_a_command_tells_where_a_mistake_stands(tmp_path: Path) -> None:
    (tmp_path / "dialer.toml").write_text("calls_per_secnd = 1\n")

    refused = Cli(tmp_path).here("numbers", "list")

    assert refused.code == 2
    assert "unknown setting calls_per_secnd in dialer.toml" in refused.err
    assert "did you mean 'calls_per_second'?" in refused.err

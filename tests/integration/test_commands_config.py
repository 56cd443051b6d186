"""`dialer config`: settings are shown without secrets, and changed without harm to their file."""

import json
import os
import re
import shlex
import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dialer import config_faults, configuring
from dialer.doctor.findings import Check
from dialer.rehearsal import free_port
from dialer.settings import Settings
from tests.support.cli import ROOT, Cli

TOML = "# ours\nport = 8090  # behind the proxy\n"


@pytest.fixture
def dialer(tmp_path: Path) -> Cli:
    """A folder with a file of settings."""
    (tmp_path / "dialer.toml").write_text(TOML)
    return Cli(tmp_path)


def toml(dialer: Cli) -> str:
    return (dialer.folder / "dialer.toml").read_text()


def shown(dialer: Cli, *words: str) -> dict[str, Any]:
    """Each setting of the answer, by its name."""
    rows = dialer.here("config", "show", "--json", *words).ok().json
    return {row["name"]: row for row in rows}


# -- looking --------------------------------------------------------------------------------------


def test_every_setting_is_shown_with_its_origin(dialer: Cli) -> None:
    found = shown(dialer.set(host="::1"))

    assert list(found) == list(Settings.model_fields)
    assert (found["port"]["value"], found["port"]["origin"]) == (8090, "dialer.toml")
    assert (found["host"]["value"], found["host"]["origin"]) == ("::1", "environment DIALER_HOST")
    assert found["calls_per_second"]["origin"] == "default"


def test_the_origin_is_a_column_of_the_table_if_it_is_asked_for(dialer: Cli) -> None:
    plain = dialer.here("config", "show").ok().out.splitlines()
    whole = dialer.here("config", "show", "--origin").ok().out.splitlines()

    assert "port\t8090" in plain
    assert "port\t8090\tdialer.toml" in whole


def test_no_secret_is_shown(dialer: Cli) -> None:
    secrets = {
        name: f"hush{at}"
        for at, name in enumerate(Settings.model_fields)
        if configuring._is_wholly_secret(name)
    }
    dialer = dialer.set(
        **secrets,
        database="postgresql://dial:hush@db/dialer?password=hush&sslmode=require",
        pre_dial_check="https://me:hush@check.example/hush?token=hush",
    )

    done = dialer.here("config", "show", "--json").ok()
    found = {row["name"]: row["value"] for row in done.json}

    assert "hush" not in done.out + done.err
    assert {found[name] for name in secrets} == {"set"}
    assert found["database"] == "postgresql://dial:***@db/dialer?password=***&sslmode=require"
    assert found["pre_dial_check"] == "https://check.example/…"
    assert dialer.here("config", "get", "twilio_auth_token").ok().out == "set\n"
    assert Cli(dialer.folder).here("config", "get", "twilio_auth_token").ok().out == "not set\n"


@pytest.mark.parametrize(
    ("check", "told"),
    [
        ("command:/opt/check --key hush", "command:/opt/check …"),
        ("command:/opt/check", "command:/opt/check"),
        ("entry:ours", "entry:ours"),
    ],
)
def test_arguments_of_a_check_may_be_secrets(dialer: Cli, check: str, told: str) -> None:
    assert (
        dialer.set(pre_dial_check=check).here("config", "get", "pre_dial_check").out == f"{told}\n"
    )


def test_one_setting_is_asked_for_by_its_name_or_its_variable(dialer: Cli) -> None:
    assert dialer.here("config", "get", "port").ok().out == "8090\n"
    assert dialer.here("config", "get", "DIALER_PORT", "--json").ok().json == {
        "name": "port", "value": 8090, "origin": "dialer.toml", "secret": False,
    }  # fmt: skip
    assert dialer.here("config", "get", "pre_dial_fail_closed").ok().out == "true\n"
    missing = dialer.here("config", "get", "prot")
    assert (missing.code, "did you mean 'port'?" in missing.err) == (3, True)


def test_the_paths_are_those_that_are_looked_at(dialer: Cli) -> None:
    places = dialer.here("config", "path", "--json").ok().json
    named = dialer.set(config="dialer.toml").here("config", "path", "--json").ok().json

    assert [each["path"] for each in places if each["exists"]][:1] == ["dialer.toml"]
    assert [each["path"] for each in places if each["what"] == "variables"] == [".env"]
    assert [each["path"] for each in named if each["what"] == "settings"] == ["dialer.toml"]


def test_the_schema_takes_what_the_settings_take(dialer: Cli) -> None:
    schema = dialer.here("config", "schema").ok().json

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"port": 8090, "default_region": "DE"}, schema)
    for wrong in ({"port": "x"}, {"prot": 1}, {"default_region": "de"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


# -- changing -------------------------------------------------------------------------------------


def test_a_setting_changes_and_its_surroundings_stay(dialer: Cli) -> None:
    done = dialer.here("config", "set", "port", "9000").ok()

    assert toml(dialer) == TOML.replace("8090", "9000")
    assert "next:" in done.err
    dialer.here("config", "set", "DIALER_PUBLIC_URL", "https://dial.example.org/").ok()
    assert toml(dialer).endswith('public_url = "https://dial.example.org"\n')
    dialer.here("config", "set", "pre_dial_fail_closed", "no").ok()
    assert toml(dialer).endswith("pre_dial_fail_closed = false\n")


def test_an_unset_key_is_gone(dialer: Cli) -> None:
    dialer.here("config", "unset", "port").ok()

    assert toml(dialer) == "# ours\n"
    assert dialer.here("config", "unset", "port").code == 3


def test_a_dry_run_prints_the_line_and_leaves_it(dialer: Cli) -> None:
    done = dialer.here("config", "set", "port", "9000", "--dry-run").ok()
    gone = dialer.here("config", "unset", "port", "--dry-run").ok()

    assert done.out == "- port = 8090\n+ port = 9000\n"
    assert gone.out == "- port = 8090\n"
    assert toml(dialer) == TOML


@pytest.mark.parametrize("key", ["twilio_auth_token", "twilio_auth_tokn", "pre_dial_check"])
def test_a_secret_that_stood_in_a_file_is_taken_out_without_a_word_of_it(
    dialer: Cli, key: str
) -> None:
    dialer.here("db", "upgrade").ok()
    (dialer.folder / "dialer.toml").write_text(f'{key} = "https://check.example/hush"\n')

    planned = dialer.here("config", "unset", key, "--dry-run").ok()
    done = dialer.here("config", "unset", key, "--json").ok()

    assert "hush" not in planned.out + planned.err + done.out + done.err
    assert toml(dialer) == ""
    entries = dialer.here("audit-log", "list", "--action", "config", "--json").ok()
    assert (len(entries.json), "hush" in entries.out) == (1, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "70000"),
        ("default_region", "germany"),
        ("default_zone", "Mars/Olympus"),
        ("public_url", "dial.example.org"),
        ("retain_calls_days", "3"),
        ("time_scale", "fast"),
    ],
)
def test_a_value_that_cannot_be_is_not_written(dialer: Cli, name: str, value: str) -> None:
    done = dialer.here("config", "set", name, value)

    assert (done.code, name in done.err, value in done.err) == (2, True, True)
    assert toml(dialer) == TOML


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("twilio_auth_token", "hush"),
        ("privacy_key", "hush"),
        ("database", "postgresql://dial:hush@db/dialer"),
        ("pre_dial_check", "https://check.example/?token=hush"),
    ],
)
def test_a_secret_is_refused_and_its_place_named(dialer: Cli, name: str, value: str) -> None:
    done = dialer.here("config", "set", name, value)

    assert done.code == 2
    assert f"DIALER_{name.upper()}" in done.err
    assert "$CREDENTIALS_DIRECTORY" in done.err
    assert "hush" not in done.err
    assert toml(dialer) == TOML


def test_a_check_that_cannot_be_read_is_refused_unquoted(dialer: Cli) -> None:
    done = dialer.here("config", "set", "pre_dial_check", "htps://hush")

    assert (done.code, "hush" in done.err) == (2, False)


def test_a_new_file_is_its_owners_alone_and_another_keeps_its_mode(tmp_path: Path) -> None:
    dialer = Cli(tmp_path)
    dialer.here("config", "set", "port", "9000").ok()
    file = tmp_path / "dialer.toml"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    dialer.here("config", "set", "port", "9001").ok()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["dialer.toml"]


def test_a_link_leads_where_it_led(dialer: Cli) -> None:
    real = (dialer.folder / "dialer.toml").rename(dialer.folder / "real.toml")
    (dialer.folder / "dialer.toml").symlink_to(real)

    dialer.here("config", "set", "port", "9000").ok()

    assert "9000" in real.read_text()
    assert (dialer.folder / "dialer.toml").is_symlink()


def test_the_file_in_force_is_changed_or_the_one_named(dialer: Cli) -> None:
    other, third = dialer.folder / "other.toml", dialer.folder / "third.toml"
    other.write_text("")

    dialer.set(config="other.toml").here("config", "set", "port", "1").ok()
    dialer.here("config", "set", "port", "2", "--file", third).ok()

    assert (other.read_text(), third.read_text(), toml(dialer)) == (
        "port = 1\n", "port = 2\n", TOML,
    )  # fmt: skip
    assert dialer.set(config="").here("config", "set", "port", "3").code == 2


def test_a_change_that_another_place_overrides_says_so(dialer: Cli) -> None:
    done = dialer.set(port="1").here("config", "set", "port", "9000").ok()

    assert "environment DIALER_PORT decides" in done.err


def test_a_change_leaves_an_entry_where_there_is_a_database(dialer: Cli) -> None:
    dialer.here("config", "set", "port", "8091").ok()
    assert not dialer.database.exists()
    dialer.here("db", "upgrade").ok()

    dialer.here("config", "set", "port", "9000").ok()
    dialer.here("config", "unset", "port").ok()

    entries = dialer.here("audit-log", "list", "--action", "config", "--json").ok().json
    assert {(each["action"], each["subject"]) for each in entries} == {
        ("config.set", "port"), ("config.unset", "port"),
    }  # fmt: skip


def test_a_wrong_key_can_be_taken_out_and_others_are_told_of(dialer: Cli) -> None:
    (dialer.folder / "dialer.toml").write_text("prot = 1\nhots = 2\n")

    done = dialer.here("config", "unset", "prot").ok()

    assert toml(dialer) == "hots = 2\n"
    assert "did you mean 'host'" in done.err


def test_a_file_that_is_no_toml_is_not_touched(dialer: Cli) -> None:
    (dialer.folder / "dialer.toml").write_text("port = \n")

    assert dialer.here("config", "set", "port", "1").code == 2
    assert toml(dialer) == "port = \n"


# -- checking -------------------------------------------------------------------------------------


def test_every_fault_is_found_with_its_place_key_value_and_the_closest_key(
    dialer: Cli, tmp_path: Path
) -> None:
    (tmp_path / "dialer.toml").write_text('prot = 1\nport = "x"\ndefault_zone = "Mars"\n')
    (tmp_path / ".env").write_text("DIALER_HOTS=1\nDIALER_LEASE_S=1\nOTHER=1\n")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "api_tokn").write_text("hush")
    (credentials / "pre_dial_check").write_text("hush")
    wrong = dialer.set(database_="x", log_level="loud")
    wrong.variables["CREDENTIALS_DIRECTORY"] = str(credentials)

    done = wrong.here("config", "validate", "--json")
    said = wrong.here("config", "validate")

    found = {(each["place"], each["key"]): each for each in done.json["faults"]}
    assert (done.code, said.code, "hush" in done.out + said.out) == (2, 2, False)
    assert set(found) == {
        ("dialer.toml", "prot"), ("dialer.toml", "port"), ("dialer.toml", "default_zone"),
        (".env", "DIALER_HOTS"), (".env", "DIALER_LEASE_S"),
        ("environment", "DIALER_DATABASE_"), ("environment", "DIALER_LOG_LEVEL"),
        ("$CREDENTIALS_DIRECTORY", "api_tokn"), ("$CREDENTIALS_DIRECTORY", "pre_dial_check"),
    }  # fmt: skip
    assert found["dialer.toml", "prot"]["meant"] == "port"
    assert found["dialer.toml", "port"]["value"] == "'x'"
    assert found[".env", "DIALER_HOTS"]["meant"] == "DIALER_HOST"
    assert len(said.out.splitlines()) == len(found)


def test_one_file_is_checked_by_itself(dialer: Cli, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("port = 1\n")
    wrong = dialer.set(log_level="loud")

    assert wrong.here("config", "validate", "other.toml").code == 0
    assert wrong.here("config", "validate", ROOT / "deploy" / "dialer.toml.example").code == 0
    assert wrong.here("config", "validate", "none.toml").code == 2
    (tmp_path / "other.toml").write_bytes(b"\xff")
    assert "not UTF-8" in wrong.here("config", "validate", "other.toml").out
    assert dialer.here("config", "validate").ok().out == ""
    assert dialer.set(config="none.toml").here("config", "validate").code == 2


def test_the_places_that_cannot_be_read_are_faults(dialer: Cli, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"DIALER_PORT=\xff\n")
    (tmp_path / "dialer.toml").write_text("[\n")
    gone = dialer.set()
    gone.variables["CREDENTIALS_DIRECTORY"] = str(tmp_path / "gone")

    found = gone.here("config", "validate", "--json").json["faults"]

    assert [each["place"] for each in found] == ["$CREDENTIALS_DIRECTORY", ".env", "dialer.toml"]


def test_what_loads_has_no_fault_and_a_fault_keeps_it_from_loading(dialer: Cli) -> None:
    assert dialer.here("config", "show").code == 0
    assert config_faults.trouble("port", "8090") == ""
    (dialer.folder / "dialer.toml").write_text("port = -1\n")
    assert dialer.here("config", "show").code == dialer.here("config", "validate").code == 2


def test_a_folder_nobody_may_write_is_an_error_and_no_traceback(dialer: Cli) -> None:
    done = dialer.here("config", "set", "port", "1", "--file", Path("none") / "dialer.toml")

    assert (done.code, "cannot be written" in done.err) == (6, True)


def test_json_says_what_has_changed(dialer: Cli) -> None:
    done = dialer.here("config", "set", "port", "9000", "--json").ok()

    assert json.loads(done.out) == {
        "file": "dialer.toml", "setting": "port", "before": 8090, "value": 9000, "dry_run": False,
    }  # fmt: skip
    assert os.listdir(dialer.folder) == ["dialer.toml"]  # noqa: PTH208  the names are all we want


# -- the page about it ----------------------------------------------------------------------------


def test_the_page_about_settings_does_what_it_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "configuration.md").read_text()
    commands = [
        shlex.split(line)[1:] for line in re.findall(r"^    (dialer .+)$", page, re.MULTILINE)
    ]
    dialer = Cli(tmp_path).set(port=str(free_port()), metrics_port="0")

    for words in commands:
        dialer.here(*words).ok()

    assert {words[0] for words in commands} == {
        "init", "doctor", "config", "version", "db", "completion",
    }  # fmt: skip
    assert len(commands) == 18
    for check in Check:
        assert f"| `{check}` |" in page

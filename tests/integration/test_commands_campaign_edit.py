"""`dialer campaign create -f`, `edit`, `settings`, `clone`, `archive`, `delete` as operators do."""

import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.cli import ROOT, Cli

PHONE = "+16465550100"
OTHER = "+16465550101"


@pytest.fixture
def dialer(tmp_path: Path, sqlite_template: bytes) -> Cli:
    """Two numbers, and a campaign that has nobody yet."""
    dialer = Cli(tmp_path)
    dialer.database.write_bytes(sqlite_template)
    dialer.here("numbers", "add", PHONE).ok()
    dialer.here("numbers", "add", OTHER).ok()
    dialer.here("campaign", "create", "Renewals", "--number", PHONE, "--say", "Hello {{name}}").ok()
    return dialer


def on_a_terminal(dialer: Cli, words: list[str], answers: str, **variables: str) -> str:
    """What a command prints to somebody who types *answers*."""
    lead, follow = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "cli", *words],
        cwd=dialer.folder,
        env=dialer.environment | variables | {"PYTHONPATH": str(ROOT)},
        stdin=follow,
        stdout=follow,
        stderr=follow,
    ) as process:
        os.close(follow)
        os.write(lead, answers.encode())
        shown = b""
        while True:
            try:
                part = os.read(lead, 65536)
            except OSError:  # nobody holds the other end any more
                break
            if not part:
                break
            shown += part
    os.close(lead)
    assert process.returncode == 0, shown.decode()
    return shown.decode()


def setting(dialer: Cli, name: str, key: str) -> str:
    return dialer.here("campaign", "settings", "get", name, key).ok().out.strip()


def test_settings_are_changed_shown_and_taken_back(dialer: Cli) -> None:
    words = ("campaign", "settings")
    changed = dialer.here(*words, "set", "Renewals", "call_interval=2m", "retries=5", "--json")

    assert changed.ok().json["changed"] == {
        "call_interval": {"before": "10s", "after": "2m"},
        "retries": {"before": "2", "after": "5"},
    }
    assert set(dialer.here(*words, "diff", "Renewals", "--json").ok().json) == {
        "call_interval",
        "retries",
    }
    dialer.here(*words, "reset", "Renewals", "retries").ok()
    assert setting(dialer, "Renewals", "retries") == "2"
    assert "paused" not in dialer.here("campaign", "show", "Renewals").ok().out


def test_a_preview_changes_nothing(dialer: Cli) -> None:
    words = ("campaign", "edit", "Renewals", "--set", "max_concurrent=3", "--set", "say=Bye")
    done = dialer.here(*words, "--preview").ok()

    assert "max_concurrent\t10\t3" in done.out
    assert "one that says 'Bye'" in done.out
    assert setting(dialer, "Renewals", "max_concurrent") == "10"
    assert len(dialer.here("agents", "list", "--json").ok().json) == 1


def test_what_a_campaign_names_is_looked_up(dialer: Cli) -> None:
    dialer.here("schedule", "create", "Office", "--hours", "mon-fri 09:00-17:00").ok()
    dialer.here(
        "campaign", "edit", "Renewals", "--set", f"numbers={PHONE}=2,{OTHER}", "--set",
        "schedule=Office", "--set", "say=Good day",
    ).ok()  # fmt: skip
    shown = dialer.here("campaign", "show", "Renewals", "--json").ok().json["settings"]

    assert (shown["numbers"], shown["schedule"]) == (f"{PHONE}=2,{OTHER}", "Office")
    assert shown["agent"] == "Renewals 2"
    dialer.here("campaign", "edit", "Renewals", "--set", "schedule=none").ok()
    assert setting(dialer, "Renewals", "schedule") == "none"


def test_a_campaign_is_written_to_a_file_and_made_from_it(dialer: Cli) -> None:
    dialer.here("campaign", "settings", "set", "Renewals", "retry_rule=busy=5m; fax=never").ok()
    dialer.here("campaign", "export-config", "Renewals", "renewals.toml").ok()
    stated = tomllib.loads((dialer.folder / "renewals.toml").read_text())
    dialer.here("campaign", "create", "May", "-f", "renewals.toml", "--call-interval", "1s").ok()

    assert stated["retry_rule"] == "busy=5m; fax=never"
    assert set(
        dialer.here("campaign", "settings", "diff", "May", "--against", "Renewals", "--json").json
    ) == {"call_interval"}
    assert dialer.here("campaign", "export-config", "May", "renewals.toml").code == 2


def test_the_settings_open_in_an_editor(dialer: Cli) -> None:
    shown = on_a_terminal(
        dialer, ["campaign", "edit", "Renewals"], "", EDITOR="sed -i s/10s/7s/", VISUAL=""
    )

    assert "call_interval" in shown
    assert setting(dialer, "Renewals", "call_interval") == "7s"


def test_somebody_at_a_terminal_is_asked_for_what_is_missing(dialer: Cli) -> None:
    on_a_terminal(dialer, ["campaign", "create", "May"], f"{OTHER}\nGood morning\nnone\n")

    shown = dialer.here("campaign", "show", "May", "--json").ok().json["settings"]
    assert (shown["numbers"], shown["agent"]) == (OTHER, "May")


def test_an_answer_that_names_nothing_is_asked_for_again(dialer: Cli) -> None:
    dialer.here("schedule", "create", "Office", "--hours", "mon-fri 09:00-17:00").ok()
    answers = ["+12025550199", OTHER, "Hello {{", "Good morning", "Ofice", "Office"]

    said = on_a_terminal(dialer, ["campaign", "create", "May"], "\n".join([*answers, ""]))

    assert "+12025550199" in said.partition("Call from")[2]
    assert "there is no schedule 'Ofice'" in said
    assert "  Office\r\n" in said.partition("Business hours")[0]
    shown = dialer.here("campaign", "show", "May", "--json").ok().json["settings"]
    assert (shown["numbers"], shown["schedule"]) == (OTHER, "Office")


def test_a_clone_is_a_draft_with_the_same_settings(dialer: Cli) -> None:
    (dialer.folder / "people.csv").write_text("phone\n+12025550101\n+12025550102\n")
    dialer.here("contacts", "import", "people.csv", "--campaign", "Renewals").ok()

    made = dialer.here("campaign", "clone", "Renewals", "May", "--contacts", "--json").ok().json
    assert (made["status"], made["members"]) == ("draft", 2)
    assert (
        dialer.here("campaign", "clone", "Renewals", "--only", "failed", "--json")
        .ok()
        .json["members"]
        == 0
    )
    assert (
        dialer.here("campaign", "settings", "diff", "May", "--against", "Renewals").ok().out == ""
    )


def test_what_was_never_started_may_be_archived_and_deleted(dialer: Cli) -> None:
    assert dialer.here("campaign", "archive", "Renewals", "--json").ok().json["archived_at"]
    assert dialer.here("campaign", "restore", "Renewals", "--json").ok().json["archived_at"] is None
    refused = dialer.here("campaign", "delete", "Renewals", "--confirm", "Renewal")
    assert (refused.code, "'Renewal' is not 'Renewals'" in refused.err) == (2, True)
    dialer.here("campaign", "delete", "Renewals", "--confirm", "Renewals").ok()
    assert dialer.here("campaign", "show", "Renewals").code == 3


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("edit", "Renewals"), 2, "there is nothing to change"),
        (("edit", "Renewals", "--set", "colour=red"), 2, "unknown setting 'colour'"),
        (("edit", "Renewals", "--set", "retries"), 2, "write NAME=VALUE"),
        (("edit", "Renewals", "--set", "retries=x"), 2, "retries: 'x' is not a whole number"),
        (("edit", "Renewals", "--set", "amd=magic"), 2, "amd: 'magic' is not known"),
        (("edit", "Renewals", "--set", "schedule=Night"), 3, "no schedule 'Night'"),
        (("edit", "Renewals", "--set", "agent=Bo"), 3, "no agent 'Bo'"),
        (("edit", "Renewals", "--set", "numbers=+19995550100"), 3, "no number '+19995550100'"),
        (("edit", "Renewals", "--set", "say="), 2, "a text of 1 to 12000 characters"),
        (("edit", "Renewals", "-f", "none.toml"), 2, "cannot read none.toml"),
        (("settings", "reset", "Renewals", "numbers"), 2, "numbers has no default"),
        (("settings", "set", "Renewals", "retries=1", "retries=2"), 2, "retries is given twice"),
        (("clone", "Renewals", "Renewals"), 2, "there is a campaign 'Renewals' already"),
        (("clone", "Renewals", "--only", "lost"), 2, "only: 'lost' is not known"),
        (("create", "May", "-f", "none.toml"), 2, "cannot read none.toml"),
        (("create", "May", "--number", PHONE), 2, "say who talks to people"),
        (("create", "May", "--say", "Hi"), 2, "at least one number"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    dialer: Cli, words: tuple[str, ...], code: int, said: str
) -> None:
    before = dialer.here("campaign", "list", "--json").ok().json
    done = dialer.here("campaign", *words)

    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert dialer.here("campaign", "list", "--json").ok().json == before


def test_a_clone_tells_whom_it_left_out(dialer: Cli) -> None:
    dialer.here("contacts", "add", "+12025550101", "--campaign", "Renewals").ok()
    dialer.here("contacts", "add", "+12025550102", "--campaign", "Renewals").ok()
    dialer.here("dnc", "add", "+12025550101", "--campaign", "Renewals").ok()

    made = dialer.here("campaign", "clone", "Renewals", "--contacts", "--json").ok().json
    said = dialer.here("campaign", "clone", "Renewals", "--only", "failed").ok().err

    assert (made["members"], made["left_out"]) == (1, {"do_not_call": 1})
    assert "1 member left out: do_not_call" in said

"""What operators deploy with: a unit, an image, a compose file, and the page that tells how."""

import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from dialer.configuration import CREDENTIALS_VARIABLE
from dialer.errors import CredentialsError, UsageError, WrongStateError
from dialer.reloading import APPLIED
from dialer.settings import Settings, is_secret, load
from dialer.supervision import Signals
from tests.support.cli import ROOT, Cli

DEPLOY: Final = ROOT / "deploy"
UNIT: Final = (DEPLOY / "dialer.service").read_text()
DOCKERFILE: Final = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
COMPOSE: Final = (DEPLOY / "compose.yaml").read_text()
PAGE: Final = (ROOT / "docs" / "how-to" / "production.md").read_text()
SECRETS: Final = {name for name in Settings.model_fields if is_secret(name)}
#: What the unit needs after the drain.
TO_PUT_AWAY_S: Final = 30
#: What is left of systemd's scale of exposure, 0 to 10, for a service that needs the network.
MOST_EXPOSED: Final = 1.5

#: Directives by section, as systemd 252 has them: systemd.unit(5), systemd.service(5), and so on.
DIRECTIVES: Final = {
    "Unit": "Description Wants After StartLimitIntervalSec",
    "Service": """
        AmbientCapabilities CapabilityBoundingSet ConfigurationDirectory ExecReload ExecStart
        KillMode LoadCredential LockPersonality MemoryDenyWriteExecute MemoryMax NoNewPrivileges
        NotifyAccess PrivateDevices PrivateTmp PrivateUsers ProcSubset ProtectClock
        ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs ProtectKernelModules
        ProtectKernelTunables ProtectProc ProtectSystem RemoveIPC Restart RestartPreventExitStatus
        RestartSec RestrictAddressFamilies RestrictNamespaces RestrictRealtime RestrictSUIDSGID
        StateDirectory StateDirectoryMode SystemCallArchitectures SystemCallErrorNumber
        SystemCallFilter TasksMax TimeoutStartSec TimeoutStopSec Type UMask User WatchdogSec
        WorkingDirectory
        """,
    "Install": "WantedBy",
}


def sections(text: str) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """A unit's directives by section; one may stand several times."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[section][name].append(value)
    return found


@pytest.fixture(scope="module")
def service() -> Mapping[str, Sequence[str]]:
    return sections(UNIT)["Service"]


# -- the unit -------------------------------------------------------------------------------------


def test_every_directive_of_the_unit_is_one_in_its_section() -> None:
    found = sections(UNIT)

    assert found.keys() == DIRECTIVES.keys()
    for section, directives in found.items():
        assert directives.keys() - set(DIRECTIVES[section].split()) == set()


def test_the_unit_runs_a_command_there_is(
    service: Mapping[str, Sequence[str]], tmp_path: Path
) -> None:
    (start,) = service["ExecStart"]
    program, *words = start.split()

    assert Path(program).name == "dialer"
    assert 'dialer = "cli:main"' in (ROOT / "pyproject.toml").read_text()
    Cli(tmp_path).here(*words, "--help").ok()


def test_the_unit_waits_for_the_drain_and_heeds_the_engine(
    service: Mapping[str, Sequence[str]],
) -> None:
    defaults = Settings()

    assert int(service["TimeoutStopSec"][0]) == defaults.drain_timeout_s + TO_PUT_AWAY_S
    # A claim may wait for a database that others have, behind a batch that does.
    assert int(service["WatchdogSec"][0]) > 4 * defaults.busy_timeout_s
    assert service["Type"] == ["notify"]
    assert service["KillMode"] == ["mixed"]
    assert service["ExecReload"][0].endswith("kill -HUP $MAINPID")
    assert hasattr(Signals(), "reload")


def test_the_unit_does_not_restart_what_a_restart_cannot_mend(
    service: Mapping[str, Sequence[str]],
) -> None:
    kinds = (UsageError, CredentialsError, WrongStateError)

    assert service["RestartPreventExitStatus"] == [" ".join(str(k.exit_code) for k in kinds)]
    assert service["Restart"] == ["on-failure"]


def test_credentials_of_the_unit_are_secret_settings(
    service: Mapping[str, Sequence[str]],
) -> None:
    given = dict(each.split(":") for each in service["LoadCredential"])

    assert given.keys() <= SECRETS
    assert all(Path(file).name == name for name, file in given.items())
    (user,) = service["User"]
    assert f"\nu {user} " in (DEPLOY / "dialer.sysusers").read_text()
    assert service["StateDirectoryMode"] == ["0700"]


def test_systemd_itself_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "dialer.service"
    program = Path(sys.executable).with_name("dialer")
    unit.write_text(UNIT.replace("/opt/dialer/bin/dialer", str(program)))
    assert UNIT.count("/opt/dialer/bin/dialer") == 1
    if (systemd := shutil.which("systemd-analyze")) is None:
        return  # the tests above hold without it

    verified = subprocess.run(
        [systemd, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    judged = subprocess.run(
        [systemd, "security", "--offline=yes", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )

    said = [line for line in verified.stderr.splitlines() if str(unit) in line]
    assert (verified.returncode, said) == (0, [])
    level = re.search(r"exposure level for dialer\.service: ([0-9.]+)", judged.stdout)
    assert level is not None, judged.stderr
    assert float(level[1]) <= MOST_EXPOSED


# -- the image ------------------------------------------------------------------------------------


def instructions(name: str) -> list[str]:
    """The arguments of every instruction of the Dockerfile that is called so."""
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, re.MULTILINE)


def test_the_image_is_made_of_files_there_are_and_the_engine_lets_them_through() -> None:
    copied = [words.split() for words in instructions("COPY") if not words.startswith("--from")]
    sources = {source for *several, _ in copied for source in several}
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()

    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == sources
    wheel = re.search(r"only-include = \[(.+)\]", (ROOT / "pyproject.toml").read_text())
    assert wheel is not None
    assert set(re.findall(r'"(.+?)"', wheel[1])) <= sources


def test_the_image_installs_what_is_locked_and_nothing_else() -> None:
    installs = re.findall(r"pip install (.+?)(?= &&|$)", DOCKERFILE, re.MULTILINE)

    assert [("--require-hashes" in words, "--no-index" in words) for words in installs] == [
        (True, False),
        (False, True),
    ]


def test_the_image_runs_as_nobody_in_particular_and_ends_in_order(tmp_path: Path) -> None:
    assert instructions("USER") == ["10001:10001"]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    assert instructions("VOLUME") == ["/data"]
    assert instructions("ENTRYPOINT") == ['["dialer"]']
    Cli(tmp_path).here(*re.findall(r'"(\w+)"', instructions("CMD")[0]), "--help").ok()
    assert instructions("EXPOSE") == [str(Settings().port)]
    named = set(re.findall(r"DIALER_([A-Z_]+)", DOCKERFILE))
    assert {name.lower() for name in named} <= Settings.model_fields.keys()


def test_the_image_is_asked_whether_it_is_ready() -> None:
    (check,) = instructions("HEALTHCHECK")
    code = re.search(r'"-c", "(.+)"\]', check)

    assert code is not None
    compile(code[1].replace('\\"', '"'), "HEALTHCHECK", "exec")
    assert "/readyz" in code[1]


# -- the compose file -----------------------------------------------------------------------------


def service_of_compose(name: str) -> str:
    found = re.search(rf"^  {name}:.*\n((?:    .*\n|\n)+)", COMPOSE, re.MULTILINE)
    assert found is not None
    return found[1]


def test_compose_closes_what_can_be_closed_and_waits_for_the_drain() -> None:
    dialer = service_of_compose("dialer")

    for line in ("read_only: true", "cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]'):
        assert f"    {line}\n" in dialer
    assert f"stop_grace_period: {Settings().drain_timeout_s + TO_PUT_AWAY_S:.0f}s" in dialer
    assert f"{CREDENTIALS_VARIABLE}: /run/secrets" in dialer
    assert f'"127.0.0.1:{Settings().port}:{Settings().port}"' in dialer
    assert (DEPLOY / "../deploy/Dockerfile").is_file()


def test_the_secrets_of_compose_are_secret_settings_and_each_has_its_file() -> None:
    files = dict(re.findall(r"^  (\w+):\n    file: secrets/(\w+)$", COMPOSE, re.MULTILINE))
    used = {
        name.strip()
        for names in re.findall(r"secrets: \[(.+)\]", COMPOSE)
        for name in names.split(",")
    }

    assert all(name == file for name, file in files.items())
    assert used == files.keys()
    assert used - {"postgres_password"} <= SECRETS
    assert "privacy_key" in service_of_compose("dialer-postgres")


def test_no_line_of_compose_is_indented_by_tabs_or_by_halves() -> None:
    lines = [line for line in COMPOSE.splitlines() if line.strip() and not line.startswith("#")]
    tops = {line.partition(":")[0] for line in lines if not line.startswith(" ")}

    assert "\t" not in COMPOSE
    assert [line for line in lines if (len(line) - len(line.lstrip())) % 2] == []
    assert tops == {"name", "services", "volumes", "secrets"}


# -- the examples ---------------------------------------------------------------------------------


def test_the_examples_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(CREDENTIALS_VARIABLE, raising=False)

    by_file = load(config=str(DEPLOY / "dialer.toml.example"))
    shutil.copy(DEPLOY / "dialer.env.example", ".env")
    by_variables = load(config="")

    assert by_file.model_dump() == by_variables.model_dump()
    assert set(by_file.origins().values()) == {"default", str(DEPLOY / "dialer.toml.example")}
    assert SECRETS & {name for name, at in by_file.origins().items() if at != "default"} == set()


# -- the page -------------------------------------------------------------------------------------


def commands() -> list[list[str]]:
    """Every command of the page's blocks; several may stand in one line."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(part) for line in lines for part in line.split(" && ")]


def test_every_file_and_path_of_the_page_is_where_it_says() -> None:
    used = {word for words in commands() for word in words if word.startswith("deploy/")}

    assert {"deploy/dialer.service", "deploy/dialer.sysusers"} <= used
    assert [name for name in used if not (ROOT / name).exists()] == []
    assert "/etc/dialer/credentials/twilio_auth_token" in PAGE
    assert "LoadCredential=twilio_auth_token:/etc/dialer/credentials/twilio_auth_token" in UNIT
    assert all(name in SECRETS for name in re.findall(r"LoadCredential=(\w+):", PAGE))


def test_every_command_of_the_page_is_known(tmp_path: Path) -> None:
    programs = set()
    for words in commands():
        line = words[1:] if words[0] == "sudo" else words
        line = line[2:] if line[0] == "-u" else line
        programs.add(Path(line[0]).name)
        if Path(line[0]).name == "dialer":
            command = [word for word in line[1:] if not word.startswith("/")]
            Cli(tmp_path).here(*command, "--help").ok()

    assert programs <= {
        *("cd", "cp", "install", "python3", "pip", "dialer", "docker"),
        *("systemctl", "systemd-sysusers"),
    }


def test_what_the_page_says_is_applied_by_a_reload_is() -> None:
    (said,) = re.findall(r"At once in force are (.+?); calls under way", PAGE, re.DOTALL)
    named = set(re.findall(r"`(\w+)`", said))

    assert named == {name for name in APPLIED if not name.startswith(("twilio_", "webhook_"))}


def test_every_service_the_page_starts_is_in_the_compose_file() -> None:
    started = [words for words in commands() if words[:2] == ["docker", "compose"]]

    assert started
    for words in started:
        profiles = [words[at + 1] for at, word in enumerate(words) if word == "--profile"]
        service = words[words.index("exec") + 1] if "exec" in words else words[-1]
        assert all(f"profiles: [{profile}]" in service_of_compose(service) for profile in profiles)

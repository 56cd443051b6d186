"""Setting a folder up for a deployment: its files, from a few answers; nothing is overwritten."""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dialer import config_faults
from dialer.carrier_sim.options import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN
from dialer.config_file import Scalar, assign
from dialer.configuration import CONFIG_NAME, DOTENV, variable
from dialer.errors import UnreachableError, UsageError, WrongStateError
from dialer.own_files import replace_text
from dialer.timezones import zone_names

CONFIG_HEAD: Final = "# Settings of this deployment; `dialer config show` tells of all there are.\n"
SECRETS_HEAD: Final = "# Secrets: for their owner alone, and for no version control.\n"
PEOPLE: Final = "people.csv"
#: Numbers for fiction, which the simulator answers for.
DEMO_PEOPLE: Final = "name,phone\nAda,+12025550101\nBen,+12025550102\nCleo,+13035550103\n"
DEMO_CAMPAIGN: Final = (
    "--number +16465550100 --schedule Anytime --call-interval 1s --retries 0"
    " --say 'Hello {{name}}, this is a test call. Nothing is for sale. Thank you.'"
)
DEMO_CARRIER: Final = "http://127.0.0.1:8091"
DEMO_URL: Final = "http://127.0.0.1:8090"
_ACCOUNT: Final = re.compile(r"AC[0-9a-fA-F]{32}")
#: The settings that answers become, but for the secret one.
_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "region": "default_region",
        "zone": "default_zone",
        "account_sid": "twilio_account_sid",
        "public_url": "public_url",
    }
)
#: What a line of ``.env`` can hold between single quotes.
_PLAIN: Final = re.compile(r"[!-&(-\[\]-~]+")


@dataclass(frozen=True, slots=True)
class Answers:
    """What an operator says; an empty answer leaves its setting to the default."""

    region: str
    zone: str
    account_sid: str = ""
    token: str = field(default="", repr=False)
    public_url: str = ""

    def check(self) -> None:
        """Raise UsageError for the first answer that cannot be used; a token is never quoted."""
        for name in (*_SETTINGS, "token"):
            if why := trouble(name, getattr(self, name)):
                raise UsageError(why)

    def settings(self) -> dict[str, Scalar]:
        """The settings they come to, without secrets."""
        given = {setting: getattr(self, name) for name, setting in _SETTINGS.items()}
        return {setting: value for setting, value in given.items() if value}


def trouble(name: str, value: str) -> str:
    """Why the answer *name* cannot be *value*; empty when it can. A token is never quoted."""
    if not value:
        return ""
    if name == "token":
        plain = _PLAIN.fullmatch(value)
        return "" if plain else "the auth token has blanks, quotes or other signs that none has"
    if name == "account_sid" and not _ACCOUNT.fullmatch(value):
        return f"not an account SID: {value!r} (AC and 32 hex digits)"
    setting = _SETTINGS[name]
    why = config_faults.trouble(setting, value)
    return why and f"{setting.replace('_', ' ')} {value!r}: {why}"


def files_of(answers: Answers) -> Mapping[str, str]:
    """The texts of the files to write, by name."""
    files = {CONFIG_NAME: _toml(answers.settings())}
    if answers.token:
        files[DOTENV] = _dotenv(answers.token)
    return files


def demo_files(zone: str) -> Mapping[str, str]:
    """The same for a trial with the carrier simulator, which rings nobody."""
    answers = Answers("US", zone, DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, DEMO_URL)
    trial: dict[str, Scalar] = {
        "twilio_base_url": DEMO_CARRIER,
        "calls_per_second": 10.0,
        "backup_dir": "",  # it is all made up
    }
    return {
        CONFIG_NAME: _toml(answers.settings() | trial),
        DOTENV: _dotenv(DEMO_AUTH_TOKEN),
        PEOPLE: DEMO_PEOPLE,
    }


def write(folder: Path, files: Mapping[str, str], *, force: bool) -> list[Path]:
    """Write *files* for their owner alone; returns where those are kept that were there.

    Raises WrongStateError naming what is there already, unless *force* is given.
    """
    there = [name for name in files if (folder / name).exists()]
    if there and not force:
        raise WrongStateError(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} in {folder} already",
            next_step="look at what is set: dialer config show; with --force it is kept as .bak",
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnreachableError(f"{folder} cannot be made: {error.strerror}") from error
    kept = [_put_aside(folder / name) for name in there]
    for name, text in files.items():
        replace_text(folder / name, text)
    return kept


def _put_aside(file: Path) -> Path:
    """Keep a file under a name nobody has."""
    taken = 0
    aside = file.with_name(f"{file.name}.bak")
    while aside.exists():
        taken += 1
        aside = file.with_name(f"{file.name}.bak{taken}")
    file.rename(aside)
    return aside


def _toml(settings: Mapping[str, Scalar]) -> str:
    text = CONFIG_HEAD
    for name, value in settings.items():
        text = assign(text, name, value)
    return text


def _dotenv(token: str) -> str:
    return f"{SECRETS_HEAD}{variable('twilio_auth_token')}='{token}'\n"


# -- what may be guessed --------------------------------------------------------------------------


def guessed_zone(environment: Mapping[str, str], localtime: Path = Path("/etc/localtime")) -> str:
    """The zone this machine is set to, else UTC."""
    target = str(localtime.resolve()) if localtime.is_symlink() else ""
    named = (environment.get("TZ", "").lstrip(":"), target.partition("zoneinfo/")[2])
    return next((name for name in named if name in zone_names()), "UTC")


def guessed_region(environment: Mapping[str, str]) -> str:
    """The country of this machine's language, as in ``de_AT.UTF-8``, else US."""
    for name in ("LC_ALL", "LC_TELEPHONE", "LANG"):
        found = re.match(r"[a-z]{2,3}_([A-Z]{2})\b", environment.get(name, ""))
        if found:
            return found[1]
    return "US"


def demo_steps(folder: Path) -> Sequence[Sequence[str]]:
    """What to type, terminal by terminal, to see a campaign; the last one is the operator's."""
    enter = [] if folder.resolve() == Path.cwd() else [f"cd {_quoted(folder)}"]
    carrier = DEMO_CARRIER.rpartition(":")[2]
    return [
        [*enter, f"dialer carrier-sim --port {carrier} --cps 10 --truth truth.jsonl"],
        [*enter, "dialer run"],
        [
            *enter,
            "dialer numbers add +16465550100 --name 'Front desk'",
            "dialer schedule create Anytime --hours 'daily 00:00-24:00'",
            f"dialer campaign create Trial {DEMO_CAMPAIGN}",
            f"dialer contacts import {PEOPLE} --campaign Trial",
            "dialer rules off US --reason 'a trial with the simulator, which rings nobody'",
            "dialer campaign start Trial",
            "dialer campaign status Trial",
        ],
    ]


def _quoted(path: Path) -> str:
    return shlex.quote(os.fspath(path))

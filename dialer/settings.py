"""Everything an operator may set about a deployment; see ``configuration.py`` for the places.

A setting has one name: ``--public-url``, ``DIALER_PUBLIC_URL``, a credential or a TOML key
``public_url``. Campaign settings are not here: they live in the database.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import (
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from dialer import configuration, retention_days
from dialer.clock import TimeScale
from dialer.configuration import PREFIX, variable
from dialer.errors import CredentialsError, UsageError
from dialer.pre_dial import sources as pre_dial
from dialer.suggestions import close_matches, did_you_mean
from dialer.value_words import refusal

#: The origin of a value that no place names.
DEFAULT: Final = "default"
#: Says that it was a machine, and how to be left alone.
INCOMING_MESSAGE: Final = (
    "Thank you for calling back. This number places calls and takes none, so nobody can answer "
    "here. If you do not want to be called by us again, press 9."
)


#: A DSN may have a password, the check's address or arguments a token.
_MAY_HOLD_SECRETS: Final = frozenset({"database", "pre_dial_check"})


class Settings(BaseSettings):
    """One deployment's settings: what it is given and defaults, whatever the environment says.

    :func:`load` looks into the environment, and everywhere else.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    _origins: Mapping[str, str] = PrivateAttr(default_factory=dict)

    database: str = Field(
        "dialer.db", description="SQLite file, or a PostgreSQL DSN (postgresql://…)."
    )
    default_region: str = Field(
        "US", pattern="^[A-Z]{2}$", description="Country of phone numbers written without one."
    )
    default_zone: str = Field("UTC", description="Time zone of schedules and numbers without one.")
    actor: str = Field(
        "", description="Who acts, for the audit log; without it the user and the machine."
    )

    host: str = Field("127.0.0.1", description="Address the web server listens on.")
    port: int = Field(8090, ge=0, le=65535, description="Port the web server listens on.")
    public_url: str = Field(
        "", description="Outside address of the web server, as the carrier reaches it."
    )

    twilio_account_sid: str = Field("", description="Account SID (AC…).")
    twilio_auth_token: SecretStr = Field(
        SecretStr(""), description="Auth token: signs callbacks; places calls without an API key."
    )
    twilio_auth_token_previous: SecretStr = Field(
        SecretStr(""), description="Old auth token, accepted for callbacks during a rotation."
    )
    twilio_api_key: str = Field("", description="API key SID (SK…) for requests.")
    twilio_api_secret: SecretStr = Field(SecretStr(""), description="Secret of the API key.")
    twilio_base_url: str = Field(
        "https://api.twilio.com", description="Address of the REST API, or of a compatible server."
    )
    webhook_overrides: str = Field(
        "rc=2&rp=ct,rt,5xx", description="Twilio's retry rules for callbacks, after the # of URLs."
    )

    transcription_engine: str = Field(
        "deepgram",
        pattern="^(google|deepgram)?$",
        description="What transcribes calls: google or deepgram; empty = the carrier's own choice.",
    )
    transcription_model: str = Field(
        "nova-3",
        pattern="^[a-z0-9_-]{0,40}$",
        description="Its speech model, as telephony or nova-3; empty = the carrier's own choice.",
    )
    amd_model: str = Field(
        "", description="Model by which machines are told by their sound; empty = the one shipped."
    )
    calls_per_second: float = Field(
        1.0, ge=0, le=1000, description="Calls the account may start per second; 0 = no limit."
    )
    max_concurrent: int = Field(
        0, ge=0, description="Calls the account may have at once; 0 = no limit."
    )
    call_time_limit_s: int = Field(
        1800, ge=10, le=14400, description="A call is ended by the carrier after this."
    )

    pre_dial_check: str = Field(
        "",
        description="Your own check before every call: `command:/path --flag`, `https://…`, "
        "`entry:NAME`; empty = none.",
    )
    pre_dial_secret: SecretStr = Field(
        SecretStr(""), description="Sent to the check's address in X-Dialer-Secret."
    )
    pre_dial_timeout_s: float = Field(
        2.0, gt=0, le=60, description="How long the check may take for one call."
    )
    pre_dial_fail_closed: bool = Field(
        True, description="Without an answer of the check nobody is called; false = they are."
    )
    pre_dial_at_once: int = Field(
        16, ge=1, le=1000, description="Calls that may be checked at once."
    )
    incoming_message: str = Field(
        INCOMING_MESSAGE,
        max_length=2000,
        description="What somebody hears who calls one of our numbers; empty = a hang-up.",
    )

    request_timeout_s: float = Field(
        10.0, gt=0, description="A request to the carrier is in doubt after this."
    )
    requests_at_once: int = Field(
        32, ge=1, le=1000, description="Requests to place calls that may be on their way at once."
    )
    answer_patience_s: float = Field(
        4.0, gt=0, description="How long an answered call may wait for what it is to hear."
    )
    accept_bound_s: float = Field(
        30.0, gt=0, description="The carrier accepts a request within this time, or never."
    )
    list_bound_s: float = Field(
        60.0, ge=0, description="An accepted call shows in the carrier's list within this time."
    )
    quarantine_s: float = Field(
        900.0, ge=0, description="Rest for callees of a daemon whose lease expired."
    )
    lease_s: float = Field(15.0, ge=4, description="How long a daemon counts as alive.")
    patience_s: float = Field(
        3.0, gt=0, description="A call that could not start this long after its slot is given back."
    )
    look_ahead_s: float = Field(
        0.1, gt=0, le=60, description="How far ahead slots for calls are reserved."
    )
    control_poll_s: float = Field(
        0.1, gt=0, le=60, description="How often commands of other processes are looked for."
    )
    sweep_s: float = Field(
        0.5, gt=0, le=60, description="How often silent calls and final outcomes are looked for."
    )
    explain_s: float = Field(
        1.0, gt=0, le=600, description="How often the reasons for not dialing are written down."
    )
    drain_timeout_s: float = Field(
        300.0, ge=0, description="How long running calls may go on after SIGTERM."
    )
    busy_timeout_s: float = Field(
        10.0, gt=0, description="How long another program may hold the database."
    )
    api_token: SecretStr = Field(
        SecretStr(""), description="Token for programs that report an opt-out; empty: none may."
    )
    privacy_key: SecretStr = Field(
        SecretStr(""), description="Key under which erased numbers are known; PostgreSQL needs one."
    )
    privacy_key_file: str = Field(
        "", description="File that holds it; SQLite has one beside the database by default."
    )
    backup_dir: str = Field(
        "backups",
        description="Folder of nightly backups; a relative one lies beside the database; "
        "empty = none. PostgreSQL has its own tool, pg_dump.",
    )
    backup_at: str = Field(
        "03:30",
        pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$",
        description="When they are made, in the default zone.",
    )
    backup_keep_daily: int = Field(
        7, ge=1, le=3660, description="The newest backup of so many days is kept."
    )
    backup_keep_weekly: int = Field(4, ge=0, le=520, description="And the newest of so many weeks.")
    retain_calls_days: int = Field(
        0, ge=0, le=36_500, description="Days ended calls are kept, 30 or more; 0 = for ever."
    )
    retain_events_days: int = Field(
        0, ge=0, le=36_500, description="Days the carrier's news of them is kept, 7 or more."
    )
    retain_import_rows_days: int = Field(
        0, ge=0, le=36_500, description="Days the values of rejected rows are kept."
    )
    retain_dnc_history_days: int = Field(
        0, ge=0, le=36_500, description="Days of do-not-call history that are kept, 30 or more."
    )

    log_format: str = Field(
        "auto", pattern="^(auto|json|text)$", description="json, text, or text on a terminal."
    )
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="Least level that is logged."
    )
    log_file: str = Field(
        "", description="File the daemon logs to as well, as JSON lines; empty = none."
    )
    log_file_mb: int = Field(
        64, ge=1, le=10_000, description="A log file this large gives way to a new one."
    )
    metrics_host: str = Field("127.0.0.1", description="Address the daemon tells its metrics on.")
    metrics_port: int = Field(
        9464, ge=0, le=65535, description="Port of http://…/metrics for a Prometheus; 0 = none."
    )
    time_scale: str = Field(
        "1",
        description="SPEED@EPOCH (Unix seconds): a faster clock for demos and tests; 1 is real.",
    )

    @field_validator("time_scale")
    @classmethod
    def _readable_scale(cls, value: str) -> str:
        try:
            TimeScale.parse(value)
        except UsageError as error:
            raise ValueError(error.message) from None
        return value

    @field_validator("pre_dial_check")
    @classmethod
    def _known_check(cls, value: str) -> str:
        try:
            pre_dial.parse(value)
        except UsageError:  # whose message quotes the value
            raise ValueError(f"not a check; write {pre_dial.FORMS}") from None
        return value

    @field_validator(*(f"retain_{kind}_days" for kind in retention_days.Kind))
    @classmethod
    def _long_enough(cls, days: int, info: ValidationInfo) -> int:
        assert info.field_name is not None, "it is asked for fields"
        kind = retention_days.Kind(info.field_name.removeprefix("retain_").removesuffix("_days"))
        try:
            retention_days.check_days(kind, days)
        except UsageError as error:
            raise ValueError(error.message) from None
        return days

    @field_validator("public_url", "twilio_base_url")
    @classmethod
    def _plain_url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError(f"{value!r} is not an http(s) address")
        return value.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  the base names them all
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    def origins(self) -> Mapping[str, str]:
        """Where each setting's value comes from, as ``environment DIALER_PORT`` or ``default``."""
        return {name: self._origins.get(name, DEFAULT) for name in type(self).model_fields}

    def secrets(self) -> frozenset[str]:
        """The values that nobody is to read."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return frozenset(
            secret
            for value in values
            if isinstance(value, SecretStr) and (secret := value.get_secret_value())
        )

    @property
    def scale(self) -> TimeScale:
        return TimeScale.parse(self.time_scale)

    @property
    def check_s(self) -> float:
        """How long before its slot a call may have to wait for the pre-dial check."""
        return self.pre_dial_timeout_s if self.pre_dial_check else 0.0

    @property
    def leave_bound_s(self) -> float:
        """A request leaves within this time of its intent, or never."""
        return self.look_ahead_s + self.patience_s + 2 * self.check_s

    @property
    def retention(self) -> retention_days.Retention:
        """How long what is kept."""
        return retention_days.Retention(
            calls_days=self.retain_calls_days,
            events_days=self.retain_events_days,
            import_rows_days=self.retain_import_rows_days,
            dnc_history_days=self.retain_dnc_history_days,
        )

    @property
    def is_postgres(self) -> bool:
        return "://" in self.database

    def require_carrier(self) -> None:
        """Raise CredentialsError unless calls can be placed and their callbacks be checked."""
        missing = [
            name
            for name, value in (
                ("twilio_account_sid", self.twilio_account_sid),
                ("twilio_auth_token", self.twilio_auth_token.get_secret_value()),
                ("public_url", self.public_url),
            )
            if not value
        ]
        if missing:
            variables = ", ".join(map(variable, missing))
            raise CredentialsError(
                f"the carrier is not set up: {variables} missing",
                next_step="set them, or try without an account: dialer demo",
            )
        if bool(self.twilio_api_key) != bool(self.twilio_api_secret.get_secret_value()):
            raise CredentialsError(
                "an API key needs both DIALER_TWILIO_API_KEY and DIALER_TWILIO_API_SECRET"
            )


def load(config: str | None = None, **flags: Any) -> Settings:
    """Read the settings; raises UsageError naming the setting, its value and where it came from.

    A flag of None was not given. *config* is the TOML file to read in place of those that are
    looked for.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    decided = configuration.decide(Settings, given, config)
    try:
        settings = Settings(**decided.values)
    except ValidationError as error:
        raise _refused(error, decided) from None
    settings._origins = decided.origins  # noqa: SLF001  told by whoever looked, never by a caller
    return settings


def is_secret(name: str) -> bool:
    """Whether the setting's value may be, or hold, a secret, which nothing shows."""
    field = Settings.model_fields.get(name)
    return field is None or field.annotation is SecretStr or name in _MAY_HOLD_SECRETS


def _refused(error: ValidationError, decided: configuration.Decided) -> UsageError:
    """The first thing wrong, in one line."""
    first = error.errors()[0]
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        hint = did_you_mean(close_matches(name, Settings.model_fields))
        return UsageError(f"unknown setting {name!r}{hint}")
    quotable = not is_secret(name) and name not in decided.secrets
    value = f" = {first.get('input')!r}" if quotable else ""
    return UsageError(f"setting {name} ({decided.origins[name]}){value}: {refusal(first)}")

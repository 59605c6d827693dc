"""The settings of a server: environment variables first, then a TOML file, then the defaults."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from plumber_core.closest import closest
from plumber_core.errors import StartupError
from plumber_core.model.durations import EXPECTED, parse_duration
from plumber_core.model.limits import LEASE_MIN, LOST_AFTER, SWEEP_INTERVAL, Patience, Retention

FILE_VARIABLE = "PLUMBER_CONFIG"


def _alias(name: str, *older: str) -> AliasChoices:
    return AliasChoices(f"PLUMBER_{name.upper()}", *older, name)


def _seconds(value: object) -> float:
    try:
        seconds = parse_duration(value)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise ValueError(f"not {EXPECTED}")
    return seconds


Seconds = Annotated[float, BeforeValidator(_seconds)]


class Settings(BaseSettings):
    """What ``plumber-server`` is started with.

    Each field is read from ``PLUMBER_<NAME>``; ``DATABASE_URL``, ``SERVER_PORT`` and ``DEBUG`` are read too. The file
    that ``PLUMBER_CONFIG`` names holds the same names in lower case, and the tables
    ``[plugins]`` and ``[notifications]``.
    """

    # Without case sensitivity the names of the file would match HOST, PORT and whatever else a shell sets.
    model_config = SettingsConfigDict(extra="ignore", frozen=True, populate_by_name=True, case_sensitive=True)

    database_url: str = Field(default="sqlite:///plumber.db", validation_alias=_alias("database_url", "DATABASE_URL"))
    """``sqlite:///FILE`` or ``postgresql://...`` as libpq writes it."""
    host: str = Field(default="127.0.0.1", validation_alias=_alias("host"))
    """The address to listen on."""
    port: int = Field(default=52281, ge=0, le=65535, validation_alias=_alias("port", "SERVER_PORT"))
    """The port to listen on; 0 takes any free one."""
    debug: bool = Field(default=False, validation_alias=_alias("debug", "DEBUG"))
    """Readable logs with every request, instead of JSON."""
    admin_password: SecretStr | None = Field(default=None, validation_alias=_alias("admin_password"))
    """Of the first ``admin``; None makes a random one, which is printed once."""
    public_url: str | None = Field(default=None, validation_alias=_alias("public_url"))
    """Where agents and browsers reach this server; None takes the address that the caller used."""
    lease: Seconds = Field(default=LEASE_MIN, validation_alias=_alias("lease"))
    """How long an agent may be silent before what it runs is called unreachable; at least three heartbeats."""
    lost_after: Seconds = Field(default=LOST_AFTER, validation_alias=_alias("lost_after"))
    """How long it may be silent before the outcome of what it runs is called lost."""
    sweep_interval: Seconds = Field(default=SWEEP_INTERVAL, validation_alias=_alias("sweep_interval"))
    """How often a server looks after what no message has told it. The same on all servers of a database."""
    retention_days: float = Field(default=90.0, ge=0, validation_alias=_alias("retention_days"))
    """Executions that ended longer ago are deleted with their logs; 0 keeps them for ever."""
    retention_last: int = Field(default=20, ge=0, validation_alias=_alias("retention_last"))
    """So many executions of each task are kept whatever their age."""
    wheels: Path | None = Field(default=None, validation_alias=_alias("wheels"))
    """A folder with more wheels for agents, filled by ``plumber-server wheels``."""
    plugins: dict[str, Any] = Field(default_factory=dict, validation_alias="plugins")
    """The ``[plugins]`` table of the file."""

    notifications: dict[str, Any] = Field(default_factory=dict, validation_alias="notifications")
    """The ``[notifications]`` table of the file: who is told of every task."""

    @property
    def patience(self) -> Patience:
        """How long the server waits for silent agents."""
        return Patience(self.lease, self.lost_after, self.sweep_interval)

    @property
    def retention(self) -> Retention:
        """What is kept of executions that have ended."""
        return Retention(self.retention_days, self.retention_last)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the file between the environment and the defaults."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=_read_file())


def load_settings() -> Settings:
    """Return the settings of this process.

    Raises: StartupError (names the setting and why it cannot be used, never its value).
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise StartupError(reason=f"{first['loc'][0]}: {first['msg']}") from None


def _read_file() -> dict[str, Any]:
    name = os.environ.get(FILE_VARIABLE)
    if not name:
        return {}
    try:
        values = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StartupError(reason=f"{FILE_VARIABLE} {name}: {error}") from None
    for key in values:
        if key not in Settings.model_fields:
            advice = f", did you mean {nearest}" if (nearest := closest(key, Settings.model_fields)) else ""
            raise StartupError(reason=f"{name}: {key} is no setting{advice}")
    return values

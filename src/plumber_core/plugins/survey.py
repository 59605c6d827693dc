"""What is installed, for people to look at: each plugin by itself, so that a broken one hides none of the others."""

from __future__ import annotations

import inspect
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, SkipValidation

from plumber_core.errors import PlumberError
from plumber_core.model.views import View
from plumber_core.plugins import catalogue as c
from plumber_core.plugins.contracts.identity import TokenRecord, UserRecord
from plumber_core.plugins.contracts.web_panel import WebPanel
from plumber_core.plugins.discovery import InstalledPlugin
from plumber_core.plugins.manager import PluginManager
from plumber_core.plugins.settings import PluginSettings

CONTRACTS: tuple[c.HookContract[Any], ...] = (
    c.EXECUTORS,
    c.AUTHENTICATORS,
    c.AUTHORISERS,
    c.NOTIFIERS,
    c.SECRET_PROVIDERS,
    c.EVENT_SUBSCRIBERS,
    c.WEB_PANELS,
)


class Offered(View):
    """An object that a plugin registers: ``noun`` is what it is, such as ``executors``, ``about`` its first line."""

    noun: str
    name: str
    about: str


class Fault(View):
    """Why a plugin is broken, as errors cross the API."""

    code: str
    arguments: dict[str, Any]

    @classmethod
    def of(cls, error: PlumberError) -> Self:
        """Return what an error says."""
        return cls(code=error.code, arguments=error.arguments)


class Surveyed(View):
    """A plugin that is installed. ``configured``: it has a table in the server's settings."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: str
    distribution: str
    state: Literal["loaded", "disabled", "broken"]
    hooks: tuple[str, ...] = ()
    objects: tuple[Offered, ...] = ()
    configured: bool = False
    problem: Fault | None = None
    error: SkipValidation[PlumberError | None] = Field(None, exclude=True)


class NobodyYet:
    """Users and tokens of an installation that has none: plugins are registered here, never used."""

    async def find_user(self, username: str) -> UserRecord | None:
        return None

    async def find_token(self, digest: str) -> TokenRecord | None:
        return None


def survey(settings: PluginSettings) -> list[Surveyed]:
    """Return every plugin that there is, in order of names.

    Raises: StartupError (there is no such folder).
    """
    return [_look_at(found, settings) for found in _manager(settings).found()]


def clash(settings: PluginSettings) -> PlumberError | None:
    """Return why the plugins that are loaded do not go together, each of which may be sound by itself."""
    manager = _manager(settings)
    try:
        manager.load_installed()
        for contract in CONTRACTS:
            manager.collect(contract)
    except PlumberError as error:
        return error
    return None


def _look_at(found: InstalledPlugin, settings: PluginSettings) -> Surveyed:
    configured = found.name in settings.tables
    seen = Surveyed(name=found.name, distribution=found.distribution, state="disabled", configured=configured)
    if not settings.loads(found.name, found.distribution):
        return seen
    manager = _manager(settings)
    try:
        manager.load(found)
        manager.check()
        hooks = manager.plugins()[0].hooks
        return seen.model_copy(update={"state": "loaded", "hooks": hooks, "objects": _objects(manager)})
    except PlumberError as error:
        return seen.model_copy(update={"state": "broken", "error": error, "problem": Fault.of(error)})


def _manager(settings: PluginSettings) -> PluginManager:
    return PluginManager(settings, identities=NobodyYet())


def _objects(manager: PluginManager) -> tuple[Offered, ...]:
    return tuple(
        Offered(noun=contract.noun, name=registered.name, about=about(registered.item))
        for contract in CONTRACTS
        for registered in manager.collect(contract)
    )


def about(item: object) -> str:
    """Return the first line of what an object says of itself, empty if it says nothing."""
    if isinstance(item, WebPanel):
        return item.title
    described = item.describe() if hasattr(item, "describe") else inspect.getdoc(type(item)) or ""
    return str(described).strip().partition("\n")[0]

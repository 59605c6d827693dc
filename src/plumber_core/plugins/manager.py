"""The plugin manager: finds plugins, checks them, and alone calls their hooks (pluggy's own are untyped)."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

import pluggy

from plumber_core.closest import closest
from plumber_core.errors import PluginBroken, PlumberError
from plumber_core.plugins import catalogue as c
from plumber_core.plugins import hookspecs
from plumber_core.plugins.checks import object_problem
from plumber_core.plugins.context import PluginContext
from plumber_core.plugins.contracts.identity import IdentityStore
from plumber_core.plugins.discovery import InstalledPlugin, installed_plugins, single_files
from plumber_core.plugins.markers import PROJECT
from plumber_core.plugins.settings import RESERVED, PluginSettings

if TYPE_CHECKING:
    from cyclopts import App

    from plumber_core.plugins.contracts.authenticator import Authenticator
    from plumber_core.plugins.contracts.authoriser import Authoriser
    from plumber_core.plugins.contracts.event_subscriber import EventSubscriber
    from plumber_core.plugins.contracts.executor import Executor
    from plumber_core.plugins.contracts.notifier import Notifier
    from plumber_core.plugins.contracts.secret_provider import SecretProvider
    from plumber_core.plugins.contracts.web_panel import WebPanel

T = TypeVar("T")
OWN = "this program"
RUN_ELSEWHERE = frozenset({"register_executors", "register_secret_providers"})


@dataclass(frozen=True, slots=True)
class Registered(Generic[T]):
    """An object with its name and where it comes from: ``plugin`` is ``name (distribution version)``."""

    name: str
    item: T
    plugin: str


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A loaded plugin, for people to look at."""

    name: str
    distribution: str
    hooks: tuple[str, ...]

    @property
    def title(self) -> str:
        """``name (distribution version)``."""
        return f"{self.name} ({self.distribution})" if self.distribution else self.name


class PluginManager:
    """Owned by one application: there is no global one.

    Args:
        settings: which plugins load, and their tables; by default all but those that PLUMBER_DISABLE_PLUGINS names.
        identities: users and tokens, in the control plane.
    """

    def __init__(self, settings: PluginSettings | None = None, *, identities: IdentityStore | None = None) -> None:
        self.settings = PluginSettings.from_table({}) if settings is None else settings
        self._identities = identities
        self._distributions: dict[str, str] = {}
        self.origins: dict[tuple[str, str], str] = {}
        """Plural noun and name of each object that was collected -> the plugin that it is of."""
        self._pluggy = pluggy.PluginManager(PROJECT)
        self._pluggy.add_hookspecs(hookspecs)

    def load_installed(self, only: str | None = None) -> None:
        """Load the plugins that the settings want, installed ones and single files, in order of their names.

        Args:
            only: load no plugin but the one with this name, to start faster.

        Raises:
            PluginBroken: one cannot be imported or does not fit; names its distribution.
        """
        for found in self.found():
            if only in (None, found.name) and self.settings.loads(found.name, found.distribution):
                self.load(found)
        self.check()

    def found(self) -> list[InstalledPlugin]:
        """Return all plugins that there are, wanted or not.

        Raises: StartupError (there is no such folder).
        """
        files = [] if self.settings.folder is None else single_files(self.settings.folder)
        return sorted([*installed_plugins(), *files], key=lambda plugin: (plugin.name, plugin.distribution))

    def load(self, found: InstalledPlugin) -> None:
        """Import one installed plugin and register it.

        Raises:
            PluginBroken: it cannot be imported or does not fit; names its distribution.
        """
        self._distributions.setdefault(found.name, found.distribution)
        with self._blaming(found.name):
            plugin = found.load()
        self.register(plugin, found.name, found.distribution)

    def register(self, plugin: object, name: str, distribution: str = "") -> None:
        """Add one plugin: a module or an object with functions marked ``@hookimpl``.

        Raises:
            PluginBroken: its name is taken or reserved, or an implementation does not fit its hook.
        """
        if self._pluggy.get_plugin(name) is not None:
            other = self._title(name)
            self._distributions[name] = distribution
            self._blame(name, f"the name is also used by {other}")
        self._distributions[name] = distribution
        if name in RESERVED:
            self._blame(name, "the name means something else in [plugins]")
        with self._blaming(name):
            self._pluggy.register(plugin, name)
        self._check_implementations(plugin, name)

    def register_own(self, plugin: object, name: str) -> None:
        """Add a plugin of the program that this is, which no other process can load.

        Raises:
            PluginBroken: as ``register``; or it has something that runs elsewhere.
        """
        self.register(plugin, name, OWN)
        for hook in self._hooks_of(name):
            if hook in RUN_ELSEWHERE:
                self._blame(name, f"{hook} is for processes of their own: put it into a file of [plugins] folder")

    def add_specifications(self, module: ModuleType) -> None:
        """Add hooks of another package (the server's); plugins that implement them are checked now.

        Raises:
            PluginBroken: an implementation does not fit.
        """
        try:
            self._pluggy.add_hookspecs(module)
        except pluggy.PluginValidationError as error:
            self._blame(self._pluggy.get_name(error.plugin) or "?", _last_line(error), error)

    def check(self) -> None:
        """Refuse hooks that do not exist (unless marked ``optionalhook``).

        Raises:
            PluginBroken: a plugin implements one.
        """
        for name in self._names():
            for caller in self._pluggy.get_hookcallers(self._pluggy.get_plugin(name)) or []:
                if not caller.has_spec() and not self._is_optional(name, caller):
                    self._blame(name, f"there is no hook {caller.name}{self._nearest(caller.name)}")

    def plugins(self) -> list[PluginInfo]:
        """Return what is loaded, in order of names."""
        return [PluginInfo(name, self._distributions[name], self._hooks_of(name)) for name in self._names()]

    def executors(self) -> list[Registered[Executor[Any]]]:
        """Call ``register_executors``."""
        return self.collect(c.EXECUTORS)

    def authenticators(self) -> list[Registered[Authenticator]]:
        """Call ``register_authenticators``."""
        return self.collect(c.AUTHENTICATORS)

    def authorisers(self) -> list[Registered[Authoriser]]:
        """Call ``register_authorisers``."""
        return self.collect(c.AUTHORISERS)

    def notifiers(self) -> list[Registered[Notifier]]:
        """Call ``register_notifiers``."""
        return self.collect(c.NOTIFIERS)

    def secret_providers(self) -> list[Registered[SecretProvider]]:
        """Call ``register_secret_providers``."""
        return self.collect(c.SECRET_PROVIDERS)

    def event_subscribers(self) -> list[Registered[EventSubscriber]]:
        """Call ``register_event_subscribers``."""
        return self.collect(c.EVENT_SUBSCRIBERS)

    def web_panels(self) -> list[Registered[WebPanel]]:
        """Call ``register_web_panels``; in order of slot, order and title."""
        found = self.collect(c.WEB_PANELS)
        return sorted(found, key=lambda entry: (entry.item.slot, entry.item.order, entry.item.title))

    def add_commands(self, cli: App) -> None:
        """Call ``register_commands``."""
        for plugin in self._implementers("register_commands"):
            self._call(plugin, "register_commands", cli=cli)

    def collect(self, contract: c.HookContract[T]) -> list[Registered[T]]:
        """Call a hook of every plugin and return the checked objects, by configured order and name.

        Raises:
            PluginBroken: an implementation fails, an object does not fit, or a name is registered twice.
        """
        found: dict[str, Registered[T]] = {}
        for plugin in self._implementers(contract.hook):
            for entry in self._objects(plugin, contract):
                if (other := found.get(entry.name)) is not None:
                    reason = f"{contract.name} {entry.name!r} is also registered by {other.plugin}"
                    self._blame(plugin, reason)
                found[entry.name] = entry
                self.origins[contract.noun, entry.name] = entry.plugin
        return sorted(found.values(), key=lambda e: self.settings.position(contract.noun, e.name))

    def _objects(self, plugin: str, contract: c.HookContract[T]) -> Iterator[Registered[T]]:
        for number, item in enumerate(self._call(plugin, contract.hook)):
            if problem := object_problem(item, contract):
                self._blame(plugin, problem)
            name = getattr(item, contract.name) if contract.name else f"{plugin}:{number}"
            yield Registered(name, item, self._title(plugin))

    def _call(self, plugin: str, hook: str, **arguments: Any) -> Sequence[Any]:
        """Call one plugin's implementation with that plugin's own context."""
        others = [other for other in self._pluggy.get_plugins() if self._pluggy.get_name(other) != plugin]
        context = PluginContext(plugin, self.settings.tables.get(plugin, {}), self._identities)
        with self._blaming(plugin):
            answers = self._pluggy.subset_hook_caller(hook, others)(ctx=context, **arguments)
            return [item for answer in answers for item in _items(hook, answer)]

    def _implementers(self, hook: str) -> list[str]:
        caller = getattr(self._pluggy.hook, hook)
        return sorted({implementation.plugin_name for implementation in caller.get_hookimpls()})

    def _names(self) -> list[str]:
        return sorted(self._distributions)

    def _hooks_of(self, name: str) -> tuple[str, ...]:
        callers = self._pluggy.get_hookcallers(self._pluggy.get_plugin(name)) or []
        return tuple(sorted(caller.name for caller in callers))

    def _is_optional(self, name: str, caller: pluggy.HookCaller) -> bool:
        return all(i.optionalhook for i in caller.get_hookimpls() if i.plugin_name == name)

    def _nearest(self, hook: str) -> str:
        known = [name for name, caller in vars(self._pluggy.hook).items() if caller.has_spec()]
        near = closest(hook, known)
        return f"; did you mean {near}?" if near else ""

    def _check_implementations(self, plugin: object, name: str) -> None:
        callers = self._pluggy.get_hookcallers(plugin)
        if not callers:
            self._blame(name, "it implements no hook; is @hookimpl missing?")
        for caller in callers:
            for implementation in caller.get_hookimpls():
                if implementation.plugin is not plugin:
                    continue
                if inspect.iscoroutinefunction(implementation.function):
                    self._blame(name, f"{caller.name} is async; hooks are plain functions")
                if implementation.wrapper or implementation.hookwrapper:
                    self._blame(name, f"{caller.name} is a wrapper; hooks only register")

    def _title(self, name: str) -> str:
        distribution = self._distributions.get(name, "")
        return f"{name} ({distribution})" if distribution else name

    def _blame(self, name: str, reason: str, cause: BaseException | None = None) -> NoReturn:
        raise PluginBroken(plugin=self._title(name), name=name, reason=reason) from cause

    @contextmanager
    def _blaming(self, name: str) -> Iterator[None]:
        """Turn whatever a plugin raises into an error that names it."""
        try:
            yield
        except PlumberError:
            raise
        except pluggy.PluginValidationError as error:
            self._blame(name, _last_line(error), error)
        except Exception as error:
            self._blame(name, f"{type(error).__name__}: {error}", error)


def _items(hook: str, answer: Any) -> list[Any]:
    if inspect.iscoroutine(answer):
        answer.close()
        raise TypeError(f"{hook} returned a coroutine; hooks are plain functions")
    if isinstance(answer, str | bytes | Mapping) or not isinstance(answer, Iterable):
        raise TypeError(f"{hook} returned {type(answer).__name__}; return a list of objects")
    return list(answer)


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1]

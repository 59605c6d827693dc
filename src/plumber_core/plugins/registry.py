"""The plugin registry: all objects of all plugins, open and ready, and the two questions about identity."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

from plumber_core.errors import (
    Forbidden,
    PluginBroken,
    RateLimited,
    Unauthenticated,
    Unavailable,
    WrongPassword,
)
from plumber_core.plugins.contracts.authenticator import (
    Authenticator,
    Credential,
    CredentialRejected,
    Password,
)
from plumber_core.plugins.contracts.authoriser import Authoriser, Decision
from plumber_core.plugins.contracts.base import PluginObject
from plumber_core.plugins.contracts.event_subscriber import EventSubscriber
from plumber_core.plugins.contracts.executor import Executor
from plumber_core.plugins.contracts.identity import IdentityStore
from plumber_core.plugins.contracts.notifier import Notifier
from plumber_core.plugins.contracts.secret_provider import SecretProvider
from plumber_core.plugins.contracts.web_panel import WebPanel
from plumber_core.plugins.manager import PluginManager, Registered
from plumber_core.plugins.settings import PluginSettings
from plumber_core.plugins.troubles import Troubles

if TYPE_CHECKING:
    from plumber_core.model.views import Principal

T = TypeVar("T", bound=PluginObject)
PATIENCE = 15.0
"""Seconds that an object may think about who somebody is, or what he may do."""
OPENING, CLOSING = 60.0, 5.0
"""Seconds that an object may take to open, and to close: one that hangs must be named, not waited for."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PluginRegistry:
    """What the control plane uses of its plugins. Executors and secret providers are listed, but opened only where a
    step runs."""

    manager: PluginManager
    executors: Mapping[str, Executor[Any]]
    authenticators: tuple[Authenticator, ...]
    authorisers: tuple[Authoriser, ...]
    notifiers: Mapping[str, Notifier]
    secret_providers: Mapping[str, SecretProvider]
    subscribers: tuple[EventSubscriber, ...]
    panels: tuple[WebPanel, ...]
    troubles: Troubles = field(default_factory=Troubles)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        table: Mapping[str, Any] | None = None,
        identities: IdentityStore | None = None,
        own: Mapping[str, object] | None = None,
    ) -> AsyncIterator[Self]:
        """Load the installed plugins, call their hooks once and open their objects, until the context ends.

        Args:
            table: the ``[plugins]`` table of the configuration.
            identities: the installation's users and tokens.
            own: plugins that the program brings itself, by name.

        Raises:
            StartupError: the table is wrong.
            PluginBroken: a plugin does not fit; names its distribution.
        """
        manager = PluginManager(PluginSettings.from_table(table or {}), identities=identities)
        for name in sorted(own or {}):
            manager.register_own((own or {})[name], name)
        manager.load_installed()
        async with cls.of(manager) as registry:
            yield registry

    @classmethod
    @asynccontextmanager
    async def of(cls, manager: PluginManager) -> AsyncIterator[Self]:
        """Call the hooks of a manager's plugins once and open their objects, until the context ends.

        Raises:
            PluginBroken: a plugin does not fit, or an object cannot be opened.
        """
        async with AsyncExitStack() as stack:
            yield cls(
                manager=manager,
                executors={entry.name: entry.item for entry in manager.executors()},
                authenticators=tuple((await _opened(stack, manager.authenticators())).values()),
                authorisers=tuple((await _opened(stack, manager.authorisers())).values()),
                notifiers=await _opened(stack, manager.notifiers()),
                secret_providers={entry.name: entry.item for entry in manager.secret_providers()},
                subscribers=tuple((await _opened(stack, manager.event_subscribers())).values()),
                panels=tuple(entry.item for entry in manager.web_panels()),
            )

    async def authenticate(self, credential: Credential) -> Principal:
        """Return whose credential this is.

        Raises:
            Unauthenticated: nobody's, or a bad one; ``WrongPassword`` for a password.
            RateLimited: an authenticator says so.
            Unavailable: an authenticator failed. It never becomes "anonymous".
        """
        for authenticator in self.authenticators:
            if type(credential) not in authenticator.accepts:
                continue
            if (principal := await self._ask(authenticator, credential)) is not None:
                return principal
        raise _refusal(credential)

    async def authorise(self, principal: Principal, action: str, resource: str | None = None) -> None:
        """Return if the principal may do this.

        Raises:
            Forbidden: somebody denied it, failed, or nobody allowed it.
        """
        decisions = {await self._decide(voice, principal, action, resource) for voice in self.authorisers}
        if Decision.DENY in decisions or Decision.ALLOW not in decisions:
            raise Forbidden(action=action)

    async def _ask(self, authenticator: Authenticator, credential: Credential) -> Principal | None:
        from plumber_core.model.views import Principal

        try:
            async with asyncio.timeout(PATIENCE):
                answer = await authenticator.authenticate(credential)
            if answer is not None and not isinstance(answer, Principal):
                raise TypeError(f"authenticate returned {type(answer).__name__}")
        except CredentialRejected as error:
            log.info("authenticator %s rejected a %s: %s", authenticator.name, type(credential).__name__, error)
            raise _refusal(credential) from None
        except (Unauthenticated, RateLimited, Unavailable):
            raise
        except Exception as error:
            log.exception("authenticator %s failed", authenticator.name)
            self.troubles.note("authenticators", authenticator.name, error)
            raise Unavailable(reason=f"authenticator {authenticator.name} failed") from error
        self.troubles.well("authenticators", authenticator.name)
        return answer

    async def _decide(self, voice: Authoriser, principal: Principal, action: str, resource: str | None) -> Decision:
        try:
            async with asyncio.timeout(PATIENCE):
                decision = await voice.decide(principal, action, resource)
            if not isinstance(decision, Decision):
                raise TypeError(f"decide returned {decision!r}")
        except Exception as error:
            log.exception("authoriser %s failed: denied", voice.name)
            self.troubles.note("authorisers", voice.name, error)
            return Decision.DENY
        self.troubles.well("authorisers", voice.name)
        return decision


def _refusal(credential: Credential) -> Unauthenticated:
    """Return the one answer that tells nothing about why."""
    return WrongPassword() if isinstance(credential, Password) else Unauthenticated()


async def _opened(stack: AsyncExitStack, entries: Iterable[Registered[T]]) -> dict[str, T]:
    """Open objects in order; they are closed in reverse when the stack ends."""
    opened = {}
    for entry in entries:
        try:
            async with asyncio.timeout(OPENING):
                await entry.item.open()
        except TimeoutError as error:
            reason = f"opening {entry.name} has not ended within {OPENING:g} s"
            raise PluginBroken(plugin=entry.plugin, reason=reason) from error
        except Exception as error:
            reason = f"opening {entry.name} failed: {type(error).__name__}: {error}"
            raise PluginBroken(plugin=entry.plugin, reason=reason) from error
        stack.push_async_callback(_close, entry)
        opened[entry.name] = entry.item
    return opened


async def _close(entry: Registered[Any]) -> None:
    """Close one object; its error must not keep the others open."""
    try:
        async with asyncio.timeout(CLOSING):
            await entry.item.close()
    except Exception:
        log.exception("plugin %s: closing %s failed", entry.plugin, entry.name)

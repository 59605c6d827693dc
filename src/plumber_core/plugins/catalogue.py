"""Hook -> what its implementations return: the one table behind the manager's typed methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from plumber_core.plugins.contracts.authenticator import Authenticator
from plumber_core.plugins.contracts.authoriser import Authoriser
from plumber_core.plugins.contracts.event_subscriber import EventSubscriber
from plumber_core.plugins.contracts.executor import Executor
from plumber_core.plugins.contracts.notifier import Notifier
from plumber_core.plugins.contracts.secret_provider import SecretProvider
from plumber_core.plugins.contracts.web_panel import WebPanel

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HookContract(Generic[T]):
    """``hook`` returns objects of ``base`` (None: anything); the attribute ``name`` is unique among them."""

    hook: str
    base: type | None
    name: str | None

    @property
    def noun(self) -> str:
        """The plural noun, such as ``authenticators``."""
        return self.hook.removeprefix("register_")


EXECUTORS: HookContract[Executor[Any]] = HookContract("register_executors", Executor, "kind")
AUTHENTICATORS: HookContract[Authenticator] = HookContract("register_authenticators", Authenticator, "name")
AUTHORISERS: HookContract[Authoriser] = HookContract("register_authorisers", Authoriser, "name")
NOTIFIERS: HookContract[Notifier] = HookContract("register_notifiers", Notifier, "name")
SECRET_PROVIDERS: HookContract[SecretProvider] = HookContract("register_secret_providers", SecretProvider, "scheme")
EVENT_SUBSCRIBERS: HookContract[EventSubscriber] = HookContract("register_event_subscribers", EventSubscriber, "name")
WEB_PANELS: HookContract[WebPanel] = HookContract("register_web_panels", WebPanel, "name")

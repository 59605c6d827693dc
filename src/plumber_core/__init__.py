"""Plumber, the library: tasks of ordered steps on many servers.

The names below are the public ones. Each loads what it needs when first used: importing the package is nearly free.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plumber_core.app import Plumber
    from plumber_core.errors import (
        Conflict,
        Forbidden,
        InvalidRequest,
        MissingExtra,
        NotFound,
        PlumberError,
        Unauthenticated,
        Unavailable,
        ValidationFailed,
    )
    from plumber_core.model.states import ExecutionState, StepState
    from plumber_core.model.task import Gate, Parameter, Rollout, Step, Task
    from plumber_core.model.views import Event, Principal
    from plumber_core.plugins.context import PluginContext
    from plumber_core.plugins.contracts.authenticator import (
        Authenticator,
        Bearer,
        Credential,
        CredentialRejected,
        Password,
    )
    from plumber_core.plugins.contracts.authoriser import Authoriser, Decision
    from plumber_core.plugins.contracts.command import Command
    from plumber_core.plugins.contracts.event_subscriber import EventSubscriber
    from plumber_core.plugins.contracts.executor import CommandExecutor, Executor, SyncExecutor
    from plumber_core.plugins.contracts.function import executor
    from plumber_core.plugins.contracts.identity import IdentityStore, TokenRecord, UserRecord
    from plumber_core.plugins.contracts.notifier import Notification, Notifier
    from plumber_core.plugins.contracts.secret_provider import SecretNotFound, SecretProvider, SecretRef
    from plumber_core.plugins.contracts.step_context import StepContext, StepFailed
    from plumber_core.plugins.contracts.web_panel import EsModule, MarkdownOf, TableOf, WebPanel
    from plumber_core.plugins.markers import hookimpl
    from plumber_core.version import __version__

_WHERE = {
    "Plumber": "plumber_core.app",
    "Conflict": "plumber_core.errors",
    "Forbidden": "plumber_core.errors",
    "InvalidRequest": "plumber_core.errors",
    "MissingExtra": "plumber_core.errors",
    "NotFound": "plumber_core.errors",
    "PlumberError": "plumber_core.errors",
    "Unauthenticated": "plumber_core.errors",
    "Unavailable": "plumber_core.errors",
    "ValidationFailed": "plumber_core.errors",
    "ExecutionState": "plumber_core.model.states",
    "StepState": "plumber_core.model.states",
    "Gate": "plumber_core.model.task",
    "Parameter": "plumber_core.model.task",
    "Rollout": "plumber_core.model.task",
    "Step": "plumber_core.model.task",
    "Task": "plumber_core.model.task",
    "Event": "plumber_core.model.views",
    "Principal": "plumber_core.model.views",
    "PluginContext": "plumber_core.plugins.context",
    "Authenticator": "plumber_core.plugins.contracts.authenticator",
    "Bearer": "plumber_core.plugins.contracts.authenticator",
    "Credential": "plumber_core.plugins.contracts.authenticator",
    "CredentialRejected": "plumber_core.plugins.contracts.authenticator",
    "Password": "plumber_core.plugins.contracts.authenticator",
    "Authoriser": "plumber_core.plugins.contracts.authoriser",
    "Decision": "plumber_core.plugins.contracts.authoriser",
    "Command": "plumber_core.plugins.contracts.command",
    "EventSubscriber": "plumber_core.plugins.contracts.event_subscriber",
    "CommandExecutor": "plumber_core.plugins.contracts.executor",
    "Executor": "plumber_core.plugins.contracts.executor",
    "SyncExecutor": "plumber_core.plugins.contracts.executor",
    "executor": "plumber_core.plugins.contracts.function",
    "IdentityStore": "plumber_core.plugins.contracts.identity",
    "TokenRecord": "plumber_core.plugins.contracts.identity",
    "UserRecord": "plumber_core.plugins.contracts.identity",
    "Notification": "plumber_core.plugins.contracts.notifier",
    "Notifier": "plumber_core.plugins.contracts.notifier",
    "SecretNotFound": "plumber_core.plugins.contracts.secret_provider",
    "SecretProvider": "plumber_core.plugins.contracts.secret_provider",
    "SecretRef": "plumber_core.plugins.contracts.secret_provider",
    "StepContext": "plumber_core.plugins.contracts.step_context",
    "StepFailed": "plumber_core.plugins.contracts.step_context",
    "EsModule": "plumber_core.plugins.contracts.web_panel",
    "MarkdownOf": "plumber_core.plugins.contracts.web_panel",
    "TableOf": "plumber_core.plugins.contracts.web_panel",
    "WebPanel": "plumber_core.plugins.contracts.web_panel",
    "hookimpl": "plumber_core.plugins.markers",
    "__version__": "plumber_core.version",
}
"""Name -> the module that defines it; a test holds it equal to the imports above."""

__all__ = [
    "Authenticator",
    "Authoriser",
    "Bearer",
    "Command",
    "CommandExecutor",
    "Conflict",
    "Credential",
    "CredentialRejected",
    "Decision",
    "EsModule",
    "Event",
    "EventSubscriber",
    "ExecutionState",
    "Executor",
    "Forbidden",
    "Gate",
    "IdentityStore",
    "InvalidRequest",
    "MarkdownOf",
    "MissingExtra",
    "NotFound",
    "Notification",
    "Notifier",
    "Parameter",
    "Password",
    "PluginContext",
    "Plumber",
    "PlumberError",
    "Principal",
    "Rollout",
    "SecretNotFound",
    "SecretProvider",
    "SecretRef",
    "Step",
    "StepContext",
    "StepFailed",
    "StepState",
    "SyncExecutor",
    "TableOf",
    "Task",
    "TokenRecord",
    "Unauthenticated",
    "Unavailable",
    "UserRecord",
    "ValidationFailed",
    "WebPanel",
    "__version__",
    "executor",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

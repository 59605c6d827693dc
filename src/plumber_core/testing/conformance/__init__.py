"""One class for each contract, one for whole plugins: subclass it in a test, give it yours, and inherit its tests."""

from __future__ import annotations

from plumber_core.testing.conformance.authenticator import AuthenticatorConformance
from plumber_core.testing.conformance.authoriser import AuthoriserConformance
from plumber_core.testing.conformance.event_subscriber import EventSubscriberConformance
from plumber_core.testing.conformance.executor import ExecutorConformance
from plumber_core.testing.conformance.notifier import NotifierConformance
from plumber_core.testing.conformance.plugin import PluginConformance
from plumber_core.testing.conformance.secret_provider import SecretProviderConformance
from plumber_core.testing.conformance.web_panel import WebPanelConformance

__all__ = [
    "AuthenticatorConformance",
    "AuthoriserConformance",
    "EventSubscriberConformance",
    "ExecutorConformance",
    "NotifierConformance",
    "PluginConformance",
    "SecretProviderConformance",
    "WebPanelConformance",
]

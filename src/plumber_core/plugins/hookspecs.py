# mypy: disable-error-code="empty-body"
"""Every hook of the core, once. Reference with examples: docs/reference/hooks.md.

Hooks only register; the objects that they return act. All are plain functions, every implementation is
called, once, and its objects are collected. Neither the order of installation nor that of registration
matters. An implementation may leave out ``ctx``. The server adds ``register_routes``
(``plumber_server/hookspecs.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from plumber_core.plugins.markers import hookspec

if TYPE_CHECKING:
    from cyclopts import App

    from plumber_core.plugins.context import PluginContext
    from plumber_core.plugins.contracts.authenticator import Authenticator
    from plumber_core.plugins.contracts.authoriser import Authoriser
    from plumber_core.plugins.contracts.event_subscriber import EventSubscriber
    from plumber_core.plugins.contracts.executor import Executor
    from plumber_core.plugins.contracts.notifier import Notifier
    from plumber_core.plugins.contracts.secret_provider import SecretProvider
    from plumber_core.plugins.contracts.web_panel import WebPanel


@hookspec
def register_executors(ctx: PluginContext) -> Iterable[Executor[Any]]:
    """Register types of steps.

    :param ctx: the plugin's settings and the version of Plumber.
    :return: executors; each ``kind`` belongs to one plugin.
    Order: does not matter.
    When: as an agent starts, and for each step that is not a plain command.
    Runs in: executor host.
    """


@hookspec
def register_authenticators(ctx: PluginContext) -> Iterable[Authenticator]:
    """Register ways to tell who a credential belongs to.

    :param ctx: the plugin's settings, the version of Plumber, and the users and tokens of the installation.
    :return: authenticators; each ``name`` belongs to one plugin.
    Order: ``[plugins.order] authenticators``, then by name; the first that knows the credential answers.
    When: as the application opens.
    Runs in: control plane.
    """


@hookspec
def register_authorisers(ctx: PluginContext) -> Iterable[Authoriser]:
    """Register voices in the decision whether a principal may do something.

    :param ctx: the plugin's settings and the version of Plumber.
    :return: authorisers; each ``name`` belongs to one plugin.
    Order: does not matter; any DENY wins, else any ALLOW, else the answer is no.
    When: as the application opens.
    Runs in: control plane.
    """


@hookspec
def register_notifiers(ctx: PluginContext) -> Iterable[Notifier]:
    """Register channels that carry messages to people.

    :param ctx: the plugin's settings and the version of Plumber.
    :return: notifiers; each ``name`` belongs to one plugin.
    Order: does not matter; tasks name the channel.
    When: as the application opens.
    Runs in: control plane.
    """


@hookspec
def register_secret_providers(ctx: PluginContext) -> Iterable[SecretProvider]:
    """Register places that secrets are fetched from.

    :param ctx: the plugin's settings and the version of Plumber.
    :return: secret providers; each ``scheme`` belongs to one plugin.
    Order: does not matter; references name the scheme.
    When: for each step that has secrets, before it begins.
    Runs in: executor host.
    """


@hookspec
def register_event_subscribers(ctx: PluginContext) -> Iterable[EventSubscriber]:
    """Register objects that hear what happened.

    :param ctx: the plugin's settings and the version of Plumber.
    :return: event subscribers; each ``name`` belongs to one plugin.
    Order: by name; none waits for another's success.
    When: as the application opens.
    Runs in: control plane.
    """


@hookspec
def register_web_panels(ctx: PluginContext) -> Iterable[WebPanel]:
    """Register boxes in the web page.

    :param ctx: the plugin's settings and the version of Plumber.
    :return: web panels; each ``name`` belongs to one plugin.
    Order: by slot, then the panel's ``order``, then its title.
    When: as the application opens.
    Runs in: browser.
    """


@hookspec
def register_commands(cli: App, ctx: PluginContext) -> None:
    """Add commands to ``plumber``.

    :param cli: the root command, a cyclopts ``App``.
    :param ctx: the plugin's settings and the version of Plumber.
    :return: nothing.
    Order: by the plugins' names; a command that exists already is an error.
    When: as the command line starts: import what is heavy inside the commands.
    Runs in: command line.
    """

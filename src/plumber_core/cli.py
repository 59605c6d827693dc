"""``plumber``: the root command. It knows no verb itself; plugins add them (``register_commands``)."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from cyclopts import App, Group, Parameter

from plumber_core.errors import PlumberError
from plumber_core.terminal.console import err, out, prepare_streams
from plumber_core.terminal.language import _
from plumber_core.terminal.problems import INTERNAL, INTERRUPTED, exit_code_of, headline, print_error
from plumber_core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def build_app() -> App:
    """Return the root command with every installed verb; verbs are imported when they are called."""
    from plumber_core.terminal.usage import HelpFormatter, usage_error

    app = App(
        name="plumber",
        help=_("Run tasks made of ordered steps on many servers."),
        version=__version__,
        console=out(),
        error_console=err(),
        error_formatter=usage_error,
        help_formatter=HelpFormatter(),
        help_format="plaintext",
        help_epilogue=_("Exit codes: 0 done, 1 execution failed, 2 refused, 3 unreachable, 4 not allowed."),
        group_commands=Group(_("Commands")),
        group_arguments=Group(_("Arguments")),
        group_parameters=Group(_("Options")),
        default_parameter=Parameter(negative=(), show_default=_shown_default),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app["--help"].help = _("Show this page.")
    app["--version"].help = _("Show the version.")
    _add_verbs(app)
    return app


def _shown_default(default: object) -> str | None:
    """Return a default as help shows it; one that means "nothing" is not shown."""
    return None if default in (None, "", False, [], ()) else str(default)


def _add_verbs(app: App) -> None:
    from plumber_core import commands

    commands.register(app)
    try:
        _add_plugins(app)
    except PlumberError as error:
        print_error(error)


def _add_plugins(app: App) -> None:
    from plumber_core.plugins.manager import PluginManager
    from plumber_core.plugins.settings import PluginSettings

    manager = PluginManager(PluginSettings.from_table(_plugin_table()))
    manager.load_installed()
    manager.add_commands(app)


def _plugin_table() -> Mapping[str, Any]:
    """Return the ``[plugins]`` table of the configuration, where there is one: most command lines have none."""
    if not os.environ.get("PLUMBER_CONFIG"):
        return {}
    from plumber_core.config import load_settings

    return load_settings().plugins


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    prepare_streams()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    try:
        result = build_app()(list(arguments))
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except PlumberError as error:
        print_error(error)
        return exit_code_of(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone: nothing can be told any more, not even by the interpreter's exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if os.environ.get("PLUMBER_DEBUG"):
            raise
        headline(_("internal error: {error}", error=f"{type(error).__name__}: {error}"))
        headline(_("Set PLUMBER_DEBUG=1 to see where, and please report it."))
        return INTERNAL

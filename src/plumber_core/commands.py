"""The local verbs: what needs no server. Their bodies are imported when they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumber_core.terminal.language import _

if TYPE_CHECKING:
    from cyclopts import App

_BODIES = "plumber_core.terminal.local"


def register(cli: App) -> None:
    """Add the local verbs to the root command."""
    from cyclopts import App

    cli.command(f"{_BODIES}:run", name="run", help=_("Run a task file on this machine, without a server."))
    cli.command(f"{_BODIES}:version", name="version", help=_("Show the version."))
    cli.command(f"{_BODIES}:completion", name="completion", help=_("Print a shell's completion script."))
    backups = "plumber_core.terminal.backups"
    cli.command(f"{backups}:backup", name="backup", help=_("Copy the server's database to a file, while it runs."))
    cli.command(f"{backups}:restore", name="restore", help=_("Put a backup in the place of the server's database."))
    installed = "plumber_core.terminal.installed_plugins"
    plugins = App(name="plugins", help=_("Plugins: what is installed here, and whether it fits."))
    plugins.command(f"{installed}:list_", name="list", help=_("List the installed plugins."))
    plugins.command(f"{installed}:show", name="show", help=_("Show what a plugin adds."))
    plugins.command(f"{installed}:check", name="check", help=_("Say what is wrong with a plugin, or with all."))
    cli.command(plugins)
    schema = App(name="schema", help=_("Print JSON Schemas for editors."))
    schema.command(f"{_BODIES}:schema_task", name="task", help=_("Print the JSON Schema of task files."))
    cli.command(schema)

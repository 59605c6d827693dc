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
    schema = App(name="schema", help=_("Print JSON Schemas for editors."))
    schema.command(f"{_BODIES}:schema_task", name="task", help=_("Print the JSON Schema of task files."))
    cli.command(schema)

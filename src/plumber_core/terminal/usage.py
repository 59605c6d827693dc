"""What the command line's own parser says, in our form and in the user's language."""

from __future__ import annotations

import difflib
from typing import Any

from cyclopts import CycloptsError, MissingArgumentError, UnknownCommandError, UnknownOptionError
from cyclopts.exceptions import CoercionError
from cyclopts.help import DefaultFormatter
from rich.console import Console, ConsoleOptions
from rich.text import Text

from plumber_core.terminal.language import _
from plumber_core.terminal.output import safe


class HelpFormatter(DefaultFormatter):
    """The parser's own pages under a translated heading."""

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Print the line that shows how a command is called."""
        if usage:
            console.print(Text.assemble((_("Usage: "), "bold"), str(usage)), soft_wrap=True)


def usage_error(error: CycloptsError) -> Text:
    """Return a usage error as it is printed."""
    text = Text.assemble((_("error: "), "bold red"), safe(_sentence(error)))
    if hint := _hint(error):
        text.append("\n").append(_("hint: "), style="cyan").append_text(safe(hint))
    return text


def _sentence(error: CycloptsError) -> str:
    if isinstance(error, UnknownCommandError) and error.unused_tokens:
        return _("There is no command {name}.", name=error.unused_tokens[0])
    if isinstance(error, UnknownOptionError):
        return _("There is no option {name}.", name=error.token.keyword or error.token.value)
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        return _("{name} is missing.", name=error.argument.name)
    if isinstance(error, CoercionError) and error.argument is not None and error.token is not None:
        return _("{value} does not fit {name}.", value=error.token.value, name=error.argument.name)
    return str(error)


def _hint(error: CycloptsError) -> str:
    if isinstance(error, UnknownCommandError) and error.unused_tokens and error.app is not None:
        names = [name for name in error.app if not name.startswith("-")]
        return _nearest(error.unused_tokens[0], names)
    if isinstance(error, UnknownOptionError):
        names = [name for argument in error.argument_collection for name in argument.names]
        return _nearest(error.token.keyword or error.token.value, names)
    if isinstance(error, CoercionError) and error.argument is not None and (choices := error.argument.get_choices()):
        return _("Choose from: {choices}", choices=", ".join(choices))
    command = " ".join(["plumber", *(error.command_chain or ())])
    return _("See `{command} --help`.", command=command)


def _nearest(given: str, names: list[str]) -> str:
    if near := difflib.get_close_matches(given, names, n=1, cutoff=0.6):
        return _("Did you mean {name}?", name=near[0])
    return _("Choose from: {choices}", choices=", ".join(dict.fromkeys(names)))

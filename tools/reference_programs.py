"""The generated parts about the programs: commands, options, settings."""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import textwrap
from collections.abc import Iterator
from typing import Any

from cyclopts import App
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from plumber_agent.config import PREFIX, make_parser
from plumber_core.cli import build_app
from plumber_core.config import Settings
from reference_markdown import code, prose, table


def commands() -> str:
    """Return every command of ``plumber`` with its arguments and options, in English whatever the terminal speaks."""
    os.environ.update(dict.fromkeys(("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"), "C"))
    return "\n\n".join(_command(words, app) for words, app in _walk(build_app(), ("plumber",)))


def _walk(app: App, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], App]]:
    for name in sorted(app):
        if not name.startswith("-"):
            below = app[name]
            yield (*words, name), below
            if below.default_command is None:
                yield from _walk(below, (*words, name))


def _command(words: tuple[str, ...], app: App) -> str:
    about = str(app.help)
    if app.default_command is None:
        return f"## {' '.join(words)}\n\n{about}"
    arguments = list(app.assemble_argument_collection())
    level = "##" if len(words) == 2 else "###"
    usage = " ".join([*words, *filter(None, (_usage(argument) for argument in arguments))])
    rows = [(_names(argument), _help(argument)) for argument in arguments]
    return f"{level} {' '.join(words)}\n\n{about}\n\n`{usage}`" + (
        f"\n\n{table(('argument', 'is'), rows)}" if rows else ""
    )


def _is_option(argument: Any) -> bool:
    return str(argument.name).startswith("-")


def _usage(argument: Any) -> str:
    if _is_option(argument):
        return f"{argument.name} {_value(argument)}" if argument.required else ""
    several = "..." if argument.field_info.kind is inspect.Parameter.VAR_POSITIONAL else ""
    return f"{argument.name}{several}" if argument.required else f"[{argument.name}{several}]"


def _value(argument: Any) -> str:
    return str(argument.name).lstrip("-").upper()


def _names(argument: Any) -> str:
    names = ", ".join(code(name) for name in argument.names)
    is_flag = argument.hint is bool or not _is_option(argument)
    return names if is_flag else f"{names} {_value(argument)}"


def _help(argument: Any) -> str:
    parts = [str(argument.parameter.help)]
    if choices := argument.get_choices():
        parts.append(f"One of {', '.join(code(choice) for choice in choices)}.")
    default = argument.field_info.default
    if default not in (None, "", False, inspect.Parameter.empty, []) and _is_option(argument):
        parts.append(f"Default: {code(default)}.")
    return " ".join(parts)


def agent_options() -> str:
    """Return the options of ``plumber-agent``."""
    actions = [action for action in make_parser()._actions if action.option_strings and action.dest != "help"]
    rows = [(_option(action), _variable(action), _agent_help(action)) for action in actions]
    return table(("option", "or the variable", "is"), rows)


def _option(action: argparse.Action) -> str:
    names = ", ".join(code(name) for name in action.option_strings)
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    return names + value


def _variable(action: argparse.Action) -> str:
    known = {"config", "workdir", "state_dir", "settings", "slots", "name"}
    if action.dest == "label":
        return f"`{PREFIX}LABELS` (with commas)"
    return code(f"{PREFIX}{action.dest.upper()}") if action.dest in known else ""


def _agent_help(action: argparse.Action) -> str:
    values = {"default": action.default, "prog": "plumber-agent"}
    return (action.help or "") % values


def settings() -> str:
    """Return the settings of ``plumber-server``."""
    documented = _field_docs(Settings)
    rows = [
        (_variables(name, field), code(name), _default(field), prose(documented[name]))
        for name, field in Settings.model_fields.items()
    ]
    return table(("variable", "in the file", "default", "is"), rows)


def _variables(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    names = [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else []
    return ", ".join(code(choice) for choice in names if choice != name)


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if default in (None, PydanticUndefined, {}) or isinstance(default, SecretStr):
        return ""
    return code(str(default).lower() if isinstance(default, bool) else default)


def _field_docs(model: type) -> dict[str, str]:
    """Return the strings that stand below the fields of a class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[ast.unparse(field.target)] = str(below.value.value)
    return found

"""The original's task files carry no name: it came beside them."""

from __future__ import annotations

import json
import re
import tomllib

from plumber_core.errors import InvalidRequest

_HEADER = re.compile(r"^\s*(name|description)\s*=")
_TABLE = re.compile(r"^\s*\[")


def with_header(config: str, name: str, description: str, *, wanted_name: str | None = None) -> str:
    """Return a TOML task file with its name and description in it.

    Raises: InvalidRequest (not TOML, or another name than the task's).
    """
    if wanted_name not in (None, "", name):
        raise InvalidRequest(field="name", reason="a task's name is its identity and cannot change")
    _check(config)
    header = f"name = {_text(name)}\ndescription = {_text(description)}\n"
    return header + "\n".join(_without_header(config.splitlines()))


def _check(config: str) -> None:
    try:
        tomllib.loads(config)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidRequest(field="config", reason=f"not TOML: {error}") from None


def _without_header(lines: list[str]) -> list[str]:
    """Drop the two keys above the first table: those of the call win."""
    first_table = next((index for index, line in enumerate(lines) if _TABLE.match(line)), len(lines))
    top = [line for line in lines[:first_table] if not _HEADER.match(line)]
    return [*top, *lines[first_table:]]


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

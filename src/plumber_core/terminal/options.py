"""Options that many verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from plumber_core.errors import InvalidRequest
from plumber_core.model.views import SourceFormat
from plumber_core.terminal.language import _
from plumber_core.terminal.output import Format

Output = Annotated[Format, Parameter(name=("--output", "-o"), help=_("How to print the answer."))]
Pairs = Annotated[
    list[str],
    Parameter(name=("--param", "-p"), negative=(), help=_("A parameter as NAME=VALUE; may be repeated.")),
]
Raw = Annotated[
    bool,
    Parameter(negative=(), help=_("Pass control characters on that commands print: they may steer your terminal.")),
]
Flag = Parameter(negative=())
SOURCE_FORMATS: dict[str, SourceFormat] = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}


def parse_pairs(pairs: list[str], option: str = "-p") -> dict[str, str]:
    """Return ``NAME=VALUE`` texts as a dictionary.

    Raises: InvalidRequest (no name, or no ``=``).
    """
    parsed: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise InvalidRequest(field=f"{option} {pair}", reason=_("write it as NAME=VALUE"))
        parsed[name] = value
    return parsed


def read_source(file: Path) -> str:
    """Return a task file's text; ``-`` is standard input.

    Raises: InvalidRequest (it cannot be read, or is no UTF-8 text).
    """
    import sys

    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return data.decode()
    except OSError as error:
        raise InvalidRequest(field=str(file), reason=error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(field=str(file), reason=_("it is not UTF-8 text")) from error

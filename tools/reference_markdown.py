"""Markdown for the generated parts of the docs."""

from __future__ import annotations

import datetime
import enum
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

_NAMES: dict[object, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "boolean",
    bytes: "bytes",
    datetime.datetime: "time",
    type(None): "null",
    Any: "any",
    dict: "object",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a line break in a cell becomes a space."""
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    """Return ``text`` as code, or nothing for nothing."""
    return f"`{text}`" if text not in ("", None) else ""


def prose(docstring: str | None) -> str:
    """Return a docstring as Markdown: one line, double backticks made single."""
    return " ".join((docstring or "").split()).replace("``", "`")


def type_name(annotation: Any) -> str:
    """Return a type as the JSON that it is, with a link to answers of several fields."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_name(argument) for argument in arguments))
    if origin is typing.Literal:
        return " or ".join(code(argument) for argument in arguments)
    if origin is list:
        return f"list of {type_name(arguments[0])}"
    if origin is dict:
        return "object"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _model(annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return " or ".join(code(member.value) for member in annotation)
    return _NAMES[annotation]


def _model(model: type[BaseModel]) -> str:
    metadata = model.__pydantic_generic_metadata__
    if metadata["origin"] is None:
        return f"[{model.__name__}](#{model.__name__.lower()})"
    inner = ", ".join(type_name(argument) for argument in metadata["args"])
    origin = metadata["origin"].__name__
    return f"[{origin}](#{origin.lower()}) of {inner}"

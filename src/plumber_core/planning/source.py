"""From bytes to nodes: the encoding, which language it is, and its reader."""

from __future__ import annotations

import re
from dataclasses import dataclass

from plumber_core.errors import TooLarge
from plumber_core.model.limits import MAX_TASK_SOURCE
from plumber_core.model.problems import Problem
from plumber_core.model.views import SourceFormat
from plumber_core.planning.document import Node, Position
from plumber_core.planning.problems import SourceError, fatal, make
from plumber_core.planning.read_json import is_json, read_json
from plumber_core.planning.read_toml import read_toml
from plumber_core.planning.read_yaml import read_yaml
from plumber_core.planning.tree import Tree
from plumber_core.reasons import because

_TOML_LINE = re.compile(r"\s*(?:\[\[?[^\[\],:{}]+\]\]?\s*(?:#.*)?$|[\w.\"'-]+\s*=)")
_BAD = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Document:
    """``root`` is None when nothing could be read; ``problems`` says why, or what else is wrong."""

    root: Node | None
    problems: list[Problem]
    format: SourceFormat


def read(source: str | bytes, format: SourceFormat) -> Document:
    """Return the document in ``source``; whatever is wrong with it stands in ``problems``.

    Raises: TooLarge.
    """
    tree = Tree()
    try:
        text = _decode(source)
        format = _guess(text) if format == "auto" else format
        root = _read(text, format, tree)
        if root is None:
            raise fatal("empty", (1, 1))
        return Document(root, tree.problems + _bad_characters(root), format)
    except SourceError as error:
        return Document(None, [*tree.problems, error.problem], format)


def _read(text: str, format: SourceFormat, tree: Tree) -> Node | None:
    if format == "toml":
        return read_toml(text, tree)
    return (read_json if format == "json" else read_yaml)(text, tree)


def _decode(source: str | bytes) -> str:
    size = len(source) if isinstance(source, bytes) else len(source.encode("utf-8", "surrogatepass"))
    if size > MAX_TASK_SOURCE:
        raise TooLarge(field="source", actual=size, limit=MAX_TASK_SOURCE, unit=because("unit_bytes"))
    try:
        text = source.decode("utf-8") if isinstance(source, bytes) else source
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", "replace")
        raise fatal("bad_encoding", _end(before), byte=f"0x{error.object[error.start]:02x}") from None
    if text.startswith("\ufeff"):
        raise fatal("byte_order_mark", (1, 1))
    if match := _BAD.search(text):
        raise fatal("bad_character", _end(text[: match.start()]), character=f"U+{ord(match.group()):04X}")
    if not text.strip():
        raise fatal("empty", (1, 1))
    return text


def _end(text: str) -> Position:
    """Return the position right after ``text``."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _guess(text: str) -> SourceFormat:
    if text.lstrip().startswith("{") and is_json(text):
        return "json"
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            return "toml" if _TOML_LINE.match(line) else "yaml"
    return "yaml"


def _bad_characters(root: Node) -> list[Problem]:
    """Return a problem for each text that escapes smuggled a NUL or half a character into."""
    problems, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node.value, dict):
            texts = [(key, node.keys.get(key, node.position)) for key in node.value]
            waiting.extend(node.value.values())
        elif isinstance(node.value, list):
            texts = []
            waiting.extend(node.value)
        else:
            texts = [(node.value, node.position)] if isinstance(node.value, str) else []
        for text, position in texts:
            if match := _BAD.search(text):
                shown = f"U+{ord(match.group()):04X}"
                problems.append(make("bad_character", (), position, character=shown))
    return problems

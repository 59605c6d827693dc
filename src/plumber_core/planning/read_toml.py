"""TOML into nodes. The standard library's reader gives values without places; a look at the lines finds them."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from plumber_core.planning.document import MAX_DEPTH, MAX_NODES, Node, Path, Position, not_a_number
from plumber_core.planning.problems import SourceError, fatal, make
from plumber_core.planning.tree import Tree

MAX_DOTS = 64
_KEY = re.compile(r"[A-Za-z0-9_\-.\"' \t]{1,300}")
_FENCE = re.compile(r"\"\"\"|'''")
_PART = r"""(?:[A-Za-z0-9_-]{1,100}|"[^"\n]{0,100}"|'[^'\n]{0,100}')[ \t]{0,9}\.[ \t]{0,9}"""
_DOTTED = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_PART}){{{MAX_DOTS}}}")
"""Refused beforehand: the standard library needs quadratic time for a key of very many parts."""
_WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class _Float(float):
    """A float that remembers how it was written."""

    text: str

    def __new__(cls, text: str) -> _Float:
        value = super().__new__(cls, text.replace("_", ""))
        value.text = text
        return value


def read_toml(text: str, tree: Tree) -> Node:
    """Return the root of a TOML document; problems that do not stop the reading go to ``tree``.

    Raises: SourceError.
    """
    if _DOTTED.search(text):
        raise fatal("too_deep", limit=MAX_DEPTH)
    try:
        values = tomllib.loads(text, parse_float=_Float)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), text) from None
    except RecursionError:
        raise fatal("too_deep", limit=MAX_DEPTH) from None
    except ValueError:
        raise fatal("number_too_large") from None
    root = _Reader(places(text), tree).node(values, ())
    if root.size > MAX_NODES:
        raise fatal("too_many_values", limit=MAX_NODES)
    return root


def _syntax_error(message: str, text: str) -> SourceError:
    match = _WHERE.search(message)
    line, column = (match.group(1), match.group(2)) if match else (None, None)
    position = (int(line), int(column)) if line and column else (text.count("\n") + 1, 1)
    return fatal("toml_syntax", position, reason=_WHERE.sub("", message))


class _Reader:
    def __init__(self, found: dict[Path, Position], tree: Tree) -> None:
        self._places = found
        self._tree = tree

    def node(self, value: Any, path: Path) -> Node:
        """Return the node of a TOML value."""
        if len(path) > MAX_DEPTH:
            raise fatal("too_deep", self._position(path), limit=MAX_DEPTH)
        position = self._position(path)
        if isinstance(value, dict):
            below = {key: self.node(item, (*path, key)) for key, item in value.items()}
            return self._container(below, list(below.values()), position, path)
        if isinstance(value, list):
            items = [self.node(item, (*path, index)) for index, item in enumerate(value)]
            return self._container(items, items, position, path)
        return self._scalar(value, path, position)

    def _container(
        self, value: dict[str, Node] | list[Node], below: list[Node], position: Position, path: Path
    ) -> Node:
        keys = {key: self._position((*path, key)) for key in value} if isinstance(value, dict) else {}
        return Node(value, position, keys=keys, size=1 + sum(child.size for child in below))

    def _scalar(self, value: Any, path: Path, position: Position) -> Node:
        if not isinstance(value, str | int | float):
            kind = type(value).__name__
            self._tree.problems.append(make("not_a_value", path, position, kind=kind))
            return Node(str(value), position, str(value))
        text = value.text if isinstance(value, _Float) else str(value).lower() if value is True else str(value)
        if code := not_a_number(value):
            self._tree.problems.append(make(code, path, position, value=text[:40]))
            value = 0
        plain = float(value) if isinstance(value, float) else value
        return Node(plain, position, "false" if value is False else text)

    def _position(self, path: Path) -> Position:
        """Return where ``path`` was seen; else its parent."""
        while path and path not in self._places:
            path = path[:-1]
        return self._places.get(path, (1, 1))


def places(text: str) -> dict[Path, Position]:
    """Return where tables and keys begin, as far as lines can tell.

    Values of several lines between triple quotes are skipped; arrays and inline tables have their key's place.
    """
    found: dict[Path, Position] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    fence = ""
    for number, line in enumerate(text.split("\n"), 1):
        inside, fence = bool(fence), _fence_after(line, fence)
        if inside:
            continue
        stripped = line.strip()
        position = (number, len(line) - len(line.lstrip()) + 1)
        if stripped.startswith("["):
            table = _table(stripped.lstrip("[").partition("]")[0], stripped.startswith("[["), counts)
            found.setdefault(table, position)
        elif (key := stripped.partition("=")[0].rstrip()) and _KEY.fullmatch(key):
            found.setdefault((*table, *_keys(key)), position)
    return found


def _fence_after(line: str, fence: str) -> str:
    for mark in _FENCE.findall(line):
        fence = mark if not fence else "" if mark == fence else fence
    return fence


def _keys(dotted: str) -> Path:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _table(dotted: str, is_item: bool, counts: dict[Path, int]) -> Path:
    """Return the path of a header: tables of a list are counted."""
    path: Path = ()
    keys = _keys(dotted)
    for index, key in enumerate(keys):
        path = (*path, key)
        if index == len(keys) - 1 and is_item:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path

"""JSON into nodes with places: the standard library says whether it is JSON, a walk over its tokens says where.

Not through the YAML reader: YAML reads surrogate pairs, tabs and long keys otherwise than JSON does.
"""

from __future__ import annotations

import bisect
import json
import re

from plumber_core.planning.document import Node, Position
from plumber_core.planning.problems import fatal
from plumber_core.planning.tree import Tree

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


def is_json(text: str) -> bool:
    """Say whether ``text`` is JSON, or wants to be so deep a one that only the JSON reader should say no."""
    try:
        _check(text)
    except ValueError:
        return False
    except RecursionError:
        return True
    return True


def _check(text: str) -> None:
    json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse)


def _refuse(word: str) -> None:
    raise ValueError(word)


def read_json(text: str, tree: Tree) -> Node | None:
    """Feed ``text`` to ``tree`` and return the root.

    Raises: SourceError.
    """
    lines = [0, *(match.end() for match in re.finditer("\n", text))]
    try:
        _check(text)
    except json.JSONDecodeError as error:
        raise fatal("json_syntax", (error.lineno, error.colno), reason=error.msg) from None
    except ValueError as error:
        raise fatal("not_finite", _constant(text, str(error), lines), value=error) from None
    except RecursionError:
        pass
    for match in _TOKEN.finditer(text):
        _take(match.group(), _place(lines, match.start()), tree)
    return tree.root


def _take(word: str, position: Position, tree: Tree) -> None:
    if word in ("{", "["):
        tree.open({} if word == "{" else [], position, None, None)
    elif word in ("}", "]"):
        tree.close()
    elif word[0] == '"':
        tree.scalar(json.loads(word), position, None, plain=False, tag=None)
    elif word not in (",", ":"):
        tree.scalar(word, position, None, plain=True, tag=None)


def _place(lines: list[int], offset: int) -> Position:
    line = bisect.bisect_right(lines, offset)
    return line, offset - lines[line - 1] + 1


def _constant(text: str, word: str, lines: list[int]) -> Position:
    for match in _TOKEN.finditer(text):
        if match.group() == word:
            return _place(lines, match.start())
    return 0, 0

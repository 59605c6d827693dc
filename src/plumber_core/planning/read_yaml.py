"""YAML 1.2 into nodes: safe values only, and never more work than the limits allow.

Built on the parser's events, not on its constructors: the events come one by one without recursion, so that a
bomb is refused while it is read, and no constructor exists that could be talked into making an object.
"""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from plumber_core.planning.document import Node, Position
from plumber_core.planning.problems import SourceError, fatal
from plumber_core.planning.tree import Tree

_OPENERS = ("SequenceStartEvent", "MappingStartEvent")


def read_yaml(text: str, tree: Tree) -> Node | None:
    """Feed ``text`` to ``tree`` and return the root, or None for an empty document.

    Raises: SourceError.
    """
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            _take(event, tree)
    except MarkedYAMLError as error:
        raise _syntax_error(error, text) from None
    except (YAMLError, ValueError, OverflowError) as error:
        raise fatal("yaml_syntax", reason=_one_line(str(error))) from None
    return tree.root


def _take(event: Any, tree: Tree) -> None:
    kind = type(event).__name__
    position = (event.start_mark.line + 1, event.start_mark.column + 1)
    if kind == "ScalarEvent":
        tree.scalar(event.value, position, event.anchor, _is_plain(event), _tag(event))
    elif kind in _OPENERS:
        tree.open({} if kind == "MappingStartEvent" else [], position, event.anchor, _tag(event))
    elif kind in ("SequenceEndEvent", "MappingEndEvent"):
        tree.close()
    elif kind == "AliasEvent":
        tree.alias(event.anchor, position)
    elif kind == "DocumentStartEvent":
        _check_document(event, position, tree)


def _is_plain(event: Any) -> bool:
    return event.style is None and event.tag is None


def _tag(event: Any) -> str | None:
    """Return a written tag; ``!`` and ``!!str`` only say that a value is text."""
    tag = None if event.tag is None else str(event.tag)
    return None if tag in (None, "!", "tag:yaml.org,2002:str") else tag


def _check_document(event: Any, position: Position, tree: Tree) -> None:
    if tree.root is not None:
        raise fatal("several_documents", position)
    if event.version not in (None, (1, 2)):
        raise fatal("yaml_version", position)


def _syntax_error(error: MarkedYAMLError, text: str) -> SourceError:
    mark = error.problem_mark or error.context_mark
    position = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    problem = _one_line(str(error.problem or error.context or error))
    lines = text.split("\n")
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if "'\\t'" in problem:
        return fatal("tab", position)
    if any(brace in line.partition("${{")[0] for brace in "{[") and "${{" in line:
        return fatal("quote_expression", position)
    return fatal("yaml_syntax", position, reason=problem)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200].rstrip(".")

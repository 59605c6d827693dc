"""The tree that a reader's events build: anchors, aliases and merges, within the limits."""

from __future__ import annotations

from dataclasses import dataclass, field

from plumber_core.model.problems import Problem
from plumber_core.planning import scalars
from plumber_core.planning.document import (
    MAX_ALIASES,
    MAX_DEPTH,
    MAX_NODES,
    Node,
    Position,
    not_a_number,
)
from plumber_core.planning.problems import fatal, make

_MERGE = "<<"


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come. ``key`` is the key that waits for its value."""

    node: Node
    anchor: str | None
    key: str | None = None
    key_position: Position = (0, 0)
    merging: bool = False
    merged: list[Node] = field(default_factory=list)


class Tree:
    """Takes events in order; ``root`` is the finished document, ``problems`` what was wrong on the way."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._nodes = 0
        self._aliases = 0

    def scalar(self, text: str, position: Position, anchor: str | None, plain: bool, tag: str | None) -> None:
        """Take a scalar; ``plain`` says that it was written without quotes and tags."""
        self._count(1, position)
        if tag:
            self.problems.append(make("yaml_tag", (), position, tag=tag))
        value = scalars.resolve(text) if plain else text
        if code := not_a_number(value):
            self.problems.append(make(code, (), position, value=text))
            value = 0
        self._finish(Node(value, position, None if value is None else text), anchor, plain)

    def open(
        self, value: dict[str, Node] | list[Node], position: Position, anchor: str | None, tag: str | None
    ) -> None:
        """Take the begin of a mapping or a list."""
        self._count(1, position)
        if tag:
            self.problems.append(make("yaml_tag", (), position, tag=tag))
        if len(self._open) >= MAX_DEPTH:
            raise fatal("too_deep", position, limit=MAX_DEPTH)
        self._open.append(_Open(Node(value, position), anchor))

    def close(self) -> None:
        """Take the end of the innermost mapping or list."""
        done = self._open.pop()
        for other in done.merged:
            _merge(done.node, other)
        below = done.node.value
        children = list(below.values()) if isinstance(below, dict) else below
        if isinstance(children, list) and children:
            done.node.size += sum(child.size for child in children)
            done.node.height = 1 + max(child.height for child in children)
        self._finish(done.node, done.anchor, plain=False)

    def alias(self, name: str, position: Position) -> None:
        """Take an alias: the anchored value once more."""
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise fatal("too_many_aliases", position, limit=MAX_ALIASES)
        if any(outer.anchor == name for outer in self._open):
            raise fatal("recursive_alias", position, alias=name)
        node = self._anchors.get(name)
        if node is None:
            raise fatal("unknown_alias", position, alias=name)
        self._count(node.size, position)
        if len(self._open) + node.height >= MAX_DEPTH:
            raise fatal("too_deep", position, limit=MAX_DEPTH)
        self._finish(node, None, plain=False)

    def _count(self, nodes: int, position: Position) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise fatal("too_many_values", position, limit=MAX_NODES)

    def _finish(self, node: Node, anchor: str | None, plain: bool) -> None:
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        outer = self._open[-1]
        if isinstance(outer.node.value, list):
            outer.node.value.append(node)
        elif outer.key is None:
            self._take_key(outer, node, plain)
        else:
            self._take_value(outer, node)

    def _take_key(self, outer: _Open, node: Node, plain: bool) -> None:
        if isinstance(node.value, dict | list) or node.text is None:
            raise fatal("key_not_text", node.position)
        self._nodes -= 1
        outer.key, outer.key_position = node.text, node.position
        outer.merging = plain and node.text == _MERGE

    def _take_value(self, outer: _Open, node: Node) -> None:
        key, mapping = outer.key, outer.node.value
        outer.key = None
        if key is None or not isinstance(mapping, dict):
            return
        if outer.merging:
            self._take_merge(outer, node)
        elif key in mapping:
            first = outer.node.keys[key][0]
            self.problems.append(make("duplicate_key", (), outer.key_position, key=key, first=first))
        else:
            mapping[key] = node
            outer.node.keys[key] = outer.key_position

    def _take_merge(self, outer: _Open, node: Node) -> None:
        sources = node.value if isinstance(node.value, list) else [node]
        if all(isinstance(source.value, dict) for source in sources):
            outer.merged.extend(sources)
        else:
            self.problems.append(make("bad_merge", (), outer.key_position))


def _merge(node: Node, other: Node) -> None:
    """Add what ``other`` has and ``node`` has not."""
    if isinstance(node.value, dict) and isinstance(other.value, dict):
        for key, value in other.value.items():
            if key not in node.value:
                node.value[key] = value
                node.keys[key] = other.keys.get(key, other.position)

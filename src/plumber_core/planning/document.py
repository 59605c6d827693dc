"""A task file as read: plain values, each with its place in the source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Scalar = str | int | float | bool | None
Position = tuple[int, int]
"""Line and column, both from 1; (0, 0) is unknown."""
Path = tuple[str | int, ...]
NOWHERE: Position = (0, 0)

MAX_DEPTH = 64
MAX_NODES = 50_000
MAX_ALIASES = 100
_INTEGERS = range(-(2**63), 2**63)


@dataclass(slots=True)
class Node:
    """One value. ``text`` is a scalar as it was written (``1.10``, ``true``), ``keys`` where a mapping's keys are.

    ``size`` counts this node and all below it, ``height`` the levels below it; both count aliases as copies.
    """

    value: dict[str, Node] | list[Node] | Scalar
    position: Position = NOWHERE
    text: str | None = None
    keys: dict[str, Position] = field(default_factory=dict)
    size: int = 1
    height: int = 0


def plain(node: Node) -> Any:
    """Return the node's JSON value."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    return value


def child(node: Node | None, key: str | int) -> Node | None:
    """Return what stands under ``key``, or None."""
    value = node.value if node else None
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key)
    if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
        return value[key]
    return None


def locate(root: Node | None, path: Path, *, at_key: bool = False) -> Position:
    """Return where ``path`` stands, or its nearest parent that exists; ``at_key`` prefers the key to the value."""
    found, key_position, node = NOWHERE, NOWHERE, root
    for key in path:
        if node is None:
            break
        found = node.position or found
        key_position = node.keys.get(key, NOWHERE) if isinstance(key, str) else NOWHERE
        node = child(node, key)
    if at_key and key_position != NOWHERE:
        return key_position
    return node.position if node else found


def show(path: Sequence[str | int]) -> str:
    """Return a path as people read it, such as ``steps[2].timeout``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")


def as_written(node: Node) -> Node:
    """Return the node with a number or a switch replaced by the text that was written for it."""
    if isinstance(node.value, str) or node.text is None:
        return node
    return Node(node.text, node.position, node.text)


def not_a_number(value: Scalar) -> str | None:
    """Return the code of what is wrong with a number, or None: only finite ones of 64 bits go through everything."""
    if isinstance(value, float) and not math.isfinite(value):
        return "not_finite"
    if isinstance(value, int) and value not in _INTEGERS:
        return "number_too_large"
    return None

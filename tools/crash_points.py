"""Every crash point that the source has, and every durable act that has none beside it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from plumber_core.protocol.codec import REQUESTS
from reference_markdown import table

SOURCE = Path(__file__).resolve().parents[1] / "src"
WATCHED = ("plumber_core/runner", "plumber_core/storage", "plumber_core/engine", "plumber_agent", "plumber_server")
"""Where the server, the link and the supervisor live."""
NOT_WATCHED = ("plumber_core/storage/dialects", "plumber_core/storage/migrations", "plumber_core/runner/disk.py")
"""What carries out the writes of others: their points stand around it, in the store and in the cores."""
SYSTEM_CALLS = {
    "fsync",
    "fdatasync",
    "ftruncate",
    "link",
    "rename",
    "truncate",
    "unlink",
    "write_durably",
    "sync_folder",
}
ONE_ARGUMENT = {"replace"}
"""Methods of a path; those of the same name of a text take more."""
OWNERS = {"book", "journal", "database"}
"""Whoever holds one of these can make something durable by it."""
METHODS = {"write", "note", "sync", "append", "single", "hot", "migrate"}
ACTS = {"write", "single", "hot"}
HELPERS = {
    "Journal.append", "Journal.sync", "Journal.close", "Book.write", "Book.note", "Book.sync", "Supervisor._write",
    "SessionChain._write", "write_durably", "sync_folder", "discard",
}  # fmt: skip
"""Done by others' leave: each call of one counts as a durable act of its caller."""
NO_STATE = {
    "listen": "the name of a socket; every supervisor makes it anew",
    "lock_link": "the number in a lock's file is for people",
    "take_lock": "the number in a lock's file is for people",
}
VERBS = (
    "attach", "cancel", "durable", "forget", "inventory", "make_room", "renewed", "revive", "shutdown", "spawn", "trim",
    "void",
)  # fmt: skip


class Point(NamedTuple):
    """A point's name and the function that passes it."""

    name: str
    where: str


class Bare(NamedTuple):
    """A durable act without a point beside it."""

    where: str
    line: int
    act: str


def files() -> Iterator[Path]:
    """Yield the watched sources."""
    for folder in WATCHED:
        for path in sorted((SOURCE / folder).rglob("*.py")):
            if not path.is_relative_to(SOURCE) or not str(path.relative_to(SOURCE)).startswith(NOT_WATCHED):
                yield path


def points() -> list[Point]:
    """Return every point, by name."""
    found: set[Point] = set()
    for path in files():
        for owner, function in functions(ast.parse(path.read_text())):
            where = f"{path.stem}.{owner}{function.name}"
            for call in _calls(function):
                found.update(Point(name, where) for name in (*_names(call), *_around(call)))
    return sorted(point for name, where in found for point in _expanded(name, where))


def _expanded(name: str, where: str) -> Iterator[Point]:
    """A name with a gap stands for one point a word; those of the store are found where it is asked to write."""
    if name.startswith("server.{}"):
        return
    words = {"link.{}_sent": tuple(REQUESTS), "link.{}_asked": VERBS}.get(name, ("",))
    yield from (Point(name.replace("{}", word), where) for word in words)


def bare(source: str, name: str) -> list[Bare]:
    """Return the durable acts of a source that have no crash point after them in the same function."""
    found = []
    for owner, function in functions(ast.parse(source)):
        if f"{owner}{function.name}" in HELPERS or function.name in NO_STATE:
            continue
        calls = list(_calls(function))
        last = max((call.lineno for call in calls if _names(call) or _called(call) == "_passing"), default=0)
        acts = [(call.lineno, _durable(call, "runner" in name)) for call in calls]
        found += [Bare(f"{name}: {owner}{function.name}", line, act) for line, act in acts if act and line > last]
    return found


def functions(tree: ast.AST, owner: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield every function with its class; one that stands within another belongs to that."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield owner, node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{node.name}.")
        else:
            yield from functions(node, owner)


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _owner(call: ast.Call) -> str:
    value = call.func.value if isinstance(call.func, ast.Attribute) else None
    name = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
    return name.lstrip("_")


def _durable(call: ast.Call, in_runner: bool) -> str:
    """Return what a call makes durable, or nothing; ``_write`` is a helper's name in the runner alone."""
    name, owner = _called(call), _owner(call)
    if name in SYSTEM_CALLS or (owner in OWNERS and name in METHODS):
        return name
    if name in ONE_ARGUMENT and (owner == "os" or (len(call.args) == 1 and not call.keywords)):
        return name
    return name if (name, owner) == ("discard", "") or (in_runner and (name, owner) == ("_write", "self")) else ""


def _names(call: ast.Call) -> list[str]:
    if _called(call) != "crash_point":
        return []
    [name] = call.args
    if isinstance(name, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in name.values)]
    return [ast.literal_eval(name)]


def _around(call: ast.Call) -> list[str]:
    """Return the points around a write of the store, which its first argument names."""
    if _called(call) not in ACTS or _owner(call) != "self" or len(call.args) < 2:
        return []
    act = ast.literal_eval(call.args[0])
    return [f"server.{act}.before_commit", f"server.{act}.after_commit"]


def crash_points() -> str:
    """Return the catalogue as a table."""
    return table(("point", "passed in"), [(f"`{name}`", f"`{where}`") for name, where in points()])

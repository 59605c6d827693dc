"""The cores of engine, link and supervisor touch no clock, chance or device: the simulator runs them as they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_CORE = Path(__file__).parents[2] / "src/plumber_core"

# What the cores are given (see runner/machine.py and world.py), programs of their own, and the host's description.
_ADAPTERS = {
    "engine/access.py",  # log-ins: how often somebody may try
    "runner/cgroups.py",
    "runner/marks.py",
    "runner/clock.py",
    "runner/command_start.py",
    "runner/commands.py",
    "runner/context.py",
    "crash.py",
    "runner/describe.py",
    "runner/disk.py",
    "runner/executor_host.py",
    "runner/facts.py",
    "runner/launch.py",
    "runner/oom.py",
    "runner/process.py",
    "runner/processes.py",
    "runner/proctree.py",
    "runner/reactor.py",
    "runner/secret_values.py",
    "runner/step_run.py",
    "runner/supervisor_main.py",
    "runner/world.py",
}
_MODULES = {
    "ctypes", "fcntl", "getpass", "mmap", "multiprocessing", "platform", "pwd", "random", "resource", "secrets",
    "select", "selectors", "shutil", "signal", "socket", "subprocess", "sys", "tempfile", "threading", "time", "uuid",
}  # fmt: skip
_OF_OS = {"getpid", "strerror", "waitstatus_to_exitcode"}
_METHODS = {"exists", "is_file", "mkdir", "read_bytes", "read_text", "resolve", "touch", "unlink", "write_text"}


def _cores() -> list[str]:
    found = (path for folder in ("engine", "runner") for path in (_CORE / folder).rglob("*.py"))
    return sorted(name for path in found if (name := str(path.relative_to(_CORE))) not in _ADAPTERS)


def _run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield what is there at run time, not what stands under TYPE_CHECKING."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _run_time(node)


def _offences(tree: ast.AST) -> Iterator[str]:
    for node in _run_time(tree):
        match node:
            case ast.Import(names=names):
                yield from (f"{node.lineno}: import {n.name}" for n in names if n.name.split(".")[0] in _MODULES)
            case ast.ImportFrom(module=module) if module and module.split(".")[0] in _MODULES | {"os"}:
                yield f"{node.lineno}: from {module}"
            case ast.Attribute(value=ast.Name(id="os"), attr=name) if not name.startswith("O_") and name not in _OF_OS:
                yield f"{node.lineno}: os.{name}"
            case ast.Call(func=ast.Name(id="open" | "print" | "input" as name)):
                yield f"{node.lineno}: {name}()"
            case ast.Call(func=ast.Attribute(attr=name, value=value)) if name in _METHODS and not _of_a_port(value):
                yield f"{node.lineno}: .{name}()"


def _of_a_port(value: ast.expr) -> bool:
    return ast.unparse(value).endswith("disk")


@pytest.mark.parametrize("name", _cores())
def test_a_core_is_given_clock_chance_disk_and_processes(name: str) -> None:
    assert list(_offences(ast.parse((_CORE / name).read_text()))) == []


def test_every_exemption_is_a_file_that_needs_it() -> None:
    needless = [name for name in _ADAPTERS if not list(_offences(ast.parse((_CORE / name).read_text())))]
    assert needless == []


@pytest.mark.parametrize(
    "text",
    ["import time", "from os import read", "import os\nos.fsync(1)", "open('x')", "path.read_text()", "import random"],
)
def test_the_rule_finds_what_it_forbids(text: str) -> None:
    assert list(_offences(ast.parse(text)))

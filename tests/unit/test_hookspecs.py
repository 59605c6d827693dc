"""Every hook is documented with its exact signature, has a test named after it, and is used by a real plugin here."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import plumber_server.hookspecs
from plumber_core.plugins import hookspecs

ROOT = Path(__file__).parents[2]
HOOKS: dict[str, Callable[..., Any]] = {
    name: hook
    for module in (hookspecs, plumber_server.hookspecs)
    for name, hook in inspect.getmembers(module, inspect.isfunction)
    if hasattr(hook, "plumber_spec")
}
PAGES = ["docs/reference/hooks.md", "docs/reference/hooks.zh-CN.md"]
SECTIONS = [":param ctx:", ":return:", "Order:", "When:", "Runs in:"]


def functions(*folders: str) -> list[ast.FunctionDef]:
    return [
        node
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.name != "hookspecs.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]


def is_implementation(node: ast.FunctionDef) -> bool:
    return any(ast.unparse(decorator).startswith("hookimpl") for decorator in node.decorator_list)


def test_hooks_are_those_of_the_design() -> None:
    assert sorted(HOOKS) == [
        "register_authenticators",
        "register_authorisers",
        "register_commands",
        "register_event_subscribers",
        "register_executors",
        "register_notifiers",
        "register_routes",
        "register_secret_providers",
        "register_web_panels",
    ]


@pytest.mark.parametrize("name", HOOKS)
def test_hook_only_registers(name: str) -> None:
    assert not inspect.iscoroutinefunction(HOOKS[name])
    assert not any(HOOKS[name].plumber_spec[option] for option in ("firstresult", "historic"))  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", HOOKS)
def test_docstring_has_the_skeleton(name: str) -> None:
    text = inspect.getdoc(HOOKS[name]) or ""
    places = [text.find(section) for section in SECTIONS]
    assert -1 not in places, f"one of {SECTIONS} is missing"
    assert places == sorted(places)


@pytest.mark.parametrize("page", PAGES)
def test_pages_have_every_hook_with_its_exact_signature(page: str) -> None:
    text = (ROOT / page).read_text()
    headings = re.findall(r"(?m)^## `(register_\w+)`$", text)
    assert headings == list(dict.fromkeys(headings))
    assert sorted(headings) == sorted(HOOKS)
    for name, hook in HOOKS.items():
        section = text.split(f"## `{name}`\n")[1].split("\n## ")[0]
        signature = str(inspect.signature(hook)).replace("'", "")
        assert f"def {name}{signature}" in section, f"{page}: {name}{signature}"


@pytest.mark.parametrize("name", HOOKS)
def test_there_is_a_test_named_after_the_hook(name: str) -> None:
    assert [node for node in functions("tests") if node.name == f"test_hook_{name}"] != []


@pytest.mark.parametrize("name", HOOKS)
def test_a_real_plugin_uses_the_hook(name: str) -> None:
    users = [node for node in functions("src", "examples") if node.name == name and is_implementation(node)]
    assert users != []

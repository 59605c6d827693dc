"""Every hook is documented with its exact signature, has a test named after it, and is used by a real plugin here."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import tomllib
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


@functools.cache
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
    """It registers a plugin with this hook and asserts what comes of it."""
    [test] = [node for node in functions("tests") if node.name == f"test_hook_{name}"]
    text = ast.unparse(test)
    used = name if name != "register_routes" else "plugin_routes"
    assert used in text.partition("\n")[2], "the test does not implement the hook that it is named after"
    assert any(isinstance(node, ast.Assert) or "pytest.raises" in ast.unparse(node) for node in ast.walk(test))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", HOOKS)
def test_the_plugins_that_a_page_names_use_the_hook(name: str, page: str) -> None:
    section = (ROOT / page).read_text().split(f"## `{name}`\n")[1].split("\n## ")[0]
    [named] = re.findall(r"(?m)^(?:Used by|使用者：)(.+?)[.。]", section.replace("\n", " \n"))
    users = re.findall(r"`([\w-]+)`", named)
    assert users != []
    for user in users:
        assert name in implemented(ENTRY_POINTS[user]), f"{user} does not implement {name}"


@pytest.mark.parametrize("name", HOOKS)
def test_the_product_asks_for_what_the_hook_registers(name: str) -> None:
    """A hook without a caller would be a promise that nobody keeps."""
    wanted = CALLED_AS.get(name, name.removeprefix("register_"))
    places = [path for path in SOURCES if path.parts[-2] != "plugins" and wanted in attributes(path)]
    assert places != [], f"nothing in src uses .{wanted} outside of plumber_core/plugins"


CALLED_AS = {
    "register_authenticators": "authenticate",
    "register_authorisers": "authorise",
    "register_event_subscribers": "subscribers",
    "register_web_panels": "panels",
    "register_commands": "add_commands",
    "register_routes": "plugins",
}
"""Where the attribute that stands for the objects is not named after the hook."""
SOURCES = sorted((ROOT / "src").rglob("*.py"))


@functools.cache
def attributes(path: Path) -> frozenset[str]:
    return frozenset(node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute))


def entry_points() -> dict[str, Path]:
    """Return the plugins of this repository by the names under which they are installed, with their modules' files."""
    found = {}
    for project in (ROOT, *sorted((ROOT / "examples").glob("plumber-*"))):
        points = tomllib.loads((project / "pyproject.toml").read_text())["project"]["entry-points"]["plumber"]
        for name, module in points.items():
            base = project / "src" / module.partition(":")[0].replace(".", "/")
            found[name] = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        if project != ROOT:
            found[project.name] = next(iter(reversed(found.values())))
    return found


ENTRY_POINTS = entry_points()


def implemented(module: Path) -> set[str]:
    nodes = ast.walk(ast.parse(module.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef) and is_implementation(node)}


@pytest.mark.parametrize("name", HOOKS)
def test_a_real_plugin_uses_the_hook(name: str) -> None:
    assert [point for point, module in ENTRY_POINTS.items() if name in implemented(module)] != []

"""The code blocks of the plugin pages run."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from _pytest.fixtures import FixtureFunctionDefinition

from plumber_core.plugins.manager import PluginManager
from plumber_core.plugins.settings import PluginSettings
from plumber_core.testing import conformance
from plumber_server import hookspecs as server_hooks

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "plumber-executor-greet"


def blocks(page: str, language: str = "python") -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", (ROOT / page).read_text())


def plugins_of(page: str) -> list[str]:
    return [block for block in blocks(page) if "@hookimpl" in block]


def executed(source: str) -> ModuleType:
    module = ModuleType("documented")
    exec(compile(source, "documented", "exec"), module.__dict__)  # noqa: S102 - the repository's own pages
    return module


PLUGINS = [
    pytest.param(source, id=f"{page}-{number}")
    for page in ("docs/reference/hooks.md", "docs/reference/hooks.zh-CN.md", "docs/how-to/write-an-executor.md")
    for number, source in enumerate(plugins_of(page))
]


@pytest.mark.parametrize("source", PLUGINS)
def test_documented_plugin_registers(source: str) -> None:
    manager = PluginManager(PluginSettings())
    manager.add_specifications(server_hooks)
    manager.register(executed(source), "documented")
    manager.check()
    found: list[Any] = [
        *(entry for verb in VERBS for entry in getattr(manager, verb)()),
        *manager._implementers("register_commands"),
        *manager._implementers("register_routes"),
    ]
    assert len(found) == max(1, source.count(" WebPanel("))


@pytest.mark.parametrize("name", conformance.__all__)
def test_every_conformance_class_is_explained_with_its_fixtures(name: str) -> None:
    [row] = re.findall(rf"(?m)^\| `{name}` \| (.+) \|$", (ROOT / "docs/how-to/test-a-plugin.md").read_text())
    found = vars(getattr(conformance, name)).items()
    fixtures = [key for key, value in found if isinstance(value, FixtureFunctionDefinition)]
    assert fixtures != [] and [key for key in fixtures if f"`{key}`" not in row] == []


VERBS = [
    "executors",
    "authenticators",
    "authorisers",
    "notifiers",
    "secret_providers",
    "event_subscribers",
    "web_panels",
]


def test_every_hook_has_an_example() -> None:
    shown = "".join(plugins_of("docs/reference/hooks.md"))
    hooks = re.findall(r"(?m)^## `(register_\w+)`$", (ROOT / "docs/reference/hooks.md").read_text())
    assert [hook for hook in hooks if f"def {hook}(" not in shown] == []


def test_documented_step_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE / "src"))
    source = next(block for block in blocks("docs/how-to/write-an-executor.md") if "asyncio.run(run_step" in block)
    assert executed(source).run.exit_code == 0
    monkeypatch.delitem(sys.modules, "plumber_executor_greet")


@pytest.mark.parametrize(
    ("language", "file", "start"),
    [("python", "tests/test_greet.py", "class TestGreet"), ("toml", "pyproject.toml", "[project.entry-points")],
)
def test_page_quotes_the_example(language: str, file: str, start: str) -> None:
    quoted = next(block for block in blocks("docs/how-to/write-an-executor.md", language) if start in block)
    assert quoted[quoted.index(start) :].strip() in (EXAMPLE / file).read_text()

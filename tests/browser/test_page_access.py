"""Every page by WCAG 2.2 AA as axe sees it, light and dark, with and without dialogs, on a phone too."""

from __future__ import annotations

import json

import pytest

from support.browser import Visitor
from support.programs import RunningAgent, RunningServer

TASK = {
    "name": "greet",
    "description": "Says hello everywhere.",
    "params": {"who": {"type": "string", "default": "world"}},
    "on": "one",
    "steps": [{"name": "hello", "run": "echo hello $who"}, {"name": "broken", "run": "echo no >&2; exit 3"}],
}
PAGES = {
    "home": "/",
    "tasks": "/tasks",
    "task": "/tasks/greet",
    "task-edit": "/tasks/greet/edit",
    "executions": "/executions",
    "execution": "/executions/{execution}",
    "fleet": "/fleet",
    "agent": "/fleet/one",
    "system": "/system",
    "missing": "/nowhere",
}
DIALOGS = {"palette": ("/", "Control+k"), "shortcuts": ("/", "?"), "add-server": ("/fleet", "n")}


@pytest.fixture(scope="module")
def execution(started_server: RunningServer, started_agent: RunningAgent) -> str:
    """A task that has failed once."""
    started_server.call("task.apply", source=json.dumps(TASK), format="json")
    return str(started_server.call("task.run", task="greet")["id"])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible(inside: Visitor, execution: str, theme: str) -> None:
    inside.choose_theme(theme)
    found = {}
    for name, path in PAGES.items():
        inside.open(path.format(execution=execution))
        inside.settle()
        inside.screenshot(f"{name}-{theme}-{inside.server.database_url.partition(':')[0]}")
        found[name] = inside.violations()
    assert {name: wrongs for name, wrongs in found.items() if wrongs} == {}


@pytest.mark.parametrize("name", DIALOGS)
def test_every_dialog_is_accessible_and_gives_the_focus_back(inside: Visitor, name: str) -> None:
    path, key = DIALOGS[name]
    inside.open(path)
    inside.settle()
    inside.page.keyboard.press(key)
    inside.page.get_by_role("dialog").wait_for()
    inside.screenshot(f"dialog-{name}")
    assert inside.violations() == []
    assert inside.page.evaluate("document.querySelector('[role=dialog]').contains(document.activeElement)")
    inside.page.keyboard.press("Escape")
    inside.page.get_by_role("dialog").wait_for(state="detached")


@pytest.mark.parametrize("name", ["home", "execution", "tasks", "fleet"])
def test_a_phone_shows_a_page_without_scrolling_sideways(inside: Visitor, execution: str, name: str) -> None:
    inside.resize(360, 740)
    inside.open(PAGES[name].format(execution=execution))
    inside.settle()
    inside.screenshot(f"{name}-360")
    assert inside.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert inside.violations() == []


def test_the_login_is_accessible(visitor: Visitor) -> None:
    visitor.open("/login")
    visitor.settle()
    visitor.screenshot("login")
    assert visitor.violations() == []

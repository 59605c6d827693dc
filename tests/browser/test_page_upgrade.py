"""A tab that is open while its server is upgraded goes on, tells of it, and loses nothing that was typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from support.api import start
from support.browser import Visitor, visiting
from support.builds import other_build
from support.programs import RunningAgent, RunningServer

TASK = "name: tidy-up\non: all\nsteps:\n  - {name: first, run: echo 1}\n"
# The browser's word for a part of the page that is no longer there.
GONE = "dynamically imported module"


@pytest.fixture
def server(start_server: Callable[..., RunningServer], tmp_path: Path) -> RunningServer:
    """A server of its own: the test replaces it by another release."""
    return start_server(f"sqlite:///{tmp_path / 'plumber.db'}")


@pytest.fixture
def tab(browser: Browser, server: RunningServer) -> Iterator[Visitor]:
    """A tab of somebody who is logged in."""
    with visiting(browser, server, noise=(GONE,)) as visitor:
        visitor.enter()
        yield visitor


def _upgrade(server: RunningServer, folder: Path) -> None:
    server.process.stop()
    server.restart(PYTHONPATH=other_build(folder))


def _note(page: Page) -> Locator:
    return page.get_by_text("Plumber was upgraded.", exact=False)


def _is_new(page: Page) -> bool:
    return "-newer" in (page.locator("script[type=module]").first.get_attribute("src") or "")


def test_what_was_typed_goes_on_in_a_plain_field_and_over_the_reload(tab: Visitor, tmp_path: Path) -> None:
    page = tab.page
    tab.server.call("task.apply", source=TASK)
    tab.open("/tasks/tidy-up/edit")
    page.get_by_role("button", name=": first").click()
    page.get_by_role("textbox", name="Command").fill("echo typed")
    _upgrade(tab.server, tmp_path / "newer")
    page.get_by_role("button", name="YAML", exact=True).click()
    text = page.get_by_role("textbox", name="Source of tidy-up")
    expect(page.get_by_text("The editor could not be loaded.", exact=False)).to_be_visible()
    expect(text).to_have_value(TASK.replace("echo 1", "echo typed"))
    text.fill(TASK.replace("echo 1", "echo typed twice"))
    expect(_note(page)).to_be_visible()
    assert tab.violations() == []
    page.get_by_role("button", name="Reload").click()
    expect(page.get_by_text("Your unsaved changes are back.")).to_be_visible()
    assert _is_new(page)
    expect(_note(page)).to_have_count(0)
    page.get_by_role("button", name="YAML", exact=True).click()
    expect(page.locator(".cm-content")).to_contain_text("echo typed twice")
    page.keyboard.press("Control+s")
    page.wait_for_url("**/tasks/tidy-up")
    assert "echo typed twice" in tab.server.call("task.show", task="tidy-up")["source"]


def test_unsaved_work_still_knows_which_revision_it_changes(tab: Visitor, tmp_path: Path) -> None:
    page = tab.page
    tab.server.call("task.apply", source=TASK)
    tab.open("/tasks/tidy-up/edit")
    page.get_by_role("button", name=": first").click()
    page.get_by_role("textbox", name="Command").fill("echo mine")
    tab.server.call("task.apply", source=TASK.replace("echo 1", "echo theirs"))
    page.reload()
    expect(page.get_by_text("Your unsaved changes are back.")).to_be_visible()
    page.keyboard.press("Control+s")
    expect(page.get_by_role("dialog")).to_contain_text("admin saved tidy-up as revision 2 while you were editing.")
    page.get_by_role("button", name="Save mine over it").click()
    page.wait_for_url("**/tasks/tidy-up")
    assert "echo mine" in tab.server.call("task.show", task="tidy-up")["source"]


def test_a_part_that_is_gone_is_read_from_the_new_page(tab: Visitor, tmp_path: Path) -> None:
    page = tab.page
    tab.open("/fleet")
    tab.settle()
    _upgrade(tab.server, tmp_path / "newer")
    page.get_by_role("link", name="Tasks").first.click()
    expect(page.get_by_role("heading", level=1, name="Tasks")).to_be_visible()
    assert page.url == f"{tab.server.url}/tasks"
    assert _is_new(page)


def test_an_execution_that_is_watched_goes_on_and_the_upgrade_is_told(
    tab: Visitor, start_agent: Callable[..., RunningAgent], tmp_path: Path
) -> None:
    page = tab.page
    start_agent(tab.server, "one")
    gate = tmp_path / "gate"
    execution = start(tab.server, f"echo before; until [ -e {gate} ]; do sleep 0.05; done; echo after")
    tab.open(f"/executions/{execution}?layout=log&step=0")
    expect(page.get_by_text("before", exact=True)).to_have_count(1)
    _upgrade(tab.server, tmp_path / "newer")
    expect(_note(page)).to_be_visible()
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    gate.touch()
    expect(page.get_by_text("after", exact=True)).to_have_count(1)
    expect(page.get_by_text("before", exact=True)).to_have_count(1)
    page.get_by_role("button", name="Reload").click()
    expect(_note(page)).to_have_count(0)
    expect(page.get_by_text("after", exact=True)).to_have_count(1)
    assert _is_new(page)

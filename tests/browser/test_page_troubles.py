"""What keeps an agent from getting steps until somebody decides: the page tells it, and the decision is made there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from support.browser import Visitor, visiting
from support.processes import Processes
from support.troubles import Troubles, bad_day


@pytest.fixture
def troubles(processes: Processes) -> Troubles:
    """A fleet of its own: what is decided here stays decided."""
    return bad_day(processes)


@pytest.fixture
def inside_troubles(browser: Browser, troubles: Troubles) -> Iterator[Visitor]:
    with visiting(browser, troubles.server, accept_downloads=True) as visitor:
        visitor.enter()
        yield visitor


def _row(visitor: Visitor, name: str) -> Locator:
    return visitor.page.get_by_role("row").filter(has=visitor.page.get_by_role("link", name=name, exact=True))


def _decisions(visitor: Visitor, name: str) -> Locator:
    """Open an agent's page; return what it says that must be decided."""
    visitor.go(f"/fleet/{name}")
    expect(visitor.page.get_by_role("heading", level=1)).to_contain_text(name)
    return visitor.page.get_by_role("status", name="What needs a decision")


def test_a_copy_a_missing_inventory_and_lost_steps_are_told_and_settled(
    inside_troubles: Visitor, troubles: Troubles
) -> None:
    visitor, page = inside_troubles, inside_troubles.page
    visitor.open("/fleet")
    for name, trouble in (("web-1", "copied"), ("db-1", "awaited"), ("cache-1", "strays")):
        expect(_row(visitor, name)).to_contain_text(trouble)
    expect(_decisions(visitor, "cache-1")).to_have_count(0)
    lost = page.get_by_role("region", name="Ran, but unknown to the database (2)").get_by_role("row")
    expect(lost).to_have_count(3)
    expect(lost.filter(has_text="dump")).to_contain_text("exit 0")
    expect(lost.filter(has_text="prune")).to_contain_text("exit 4")
    _wait_no_longer(visitor, troubles)
    _give_the_real_one_a_new_credential(visitor, troubles)


def _wait_no_longer(visitor: Visitor, troubles: Troubles) -> None:
    decisions = _decisions(visitor, "db-1")
    expect(decisions).to_contain_text("has not told yet what it ran")
    decisions.get_by_role("button", name="Wait no longer…").click()
    dialog = visitor.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Go on without what db-1 ran?")
    dialog.get_by_role("button", name="Wait no longer…").click()
    expect(decisions).to_have_count(0)
    assert not troubles.server.call("agent.show", agent="db-1")["awaited"]


def _give_the_real_one_a_new_credential(visitor: Visitor, troubles: Troubles) -> None:
    decisions, page = _decisions(visitor, "web-1"), visitor.page
    expect(decisions).to_contain_text("Another copy of this agent is alive")
    decisions.get_by_role("button", name="Rotate credential…").click()
    with page.expect_download() as download:
        page.get_by_role("dialog").get_by_role("button", name="Download agent.json").click()
    config = json.loads(Path(download.value.path()).read_text())
    page.keyboard.press("Escape")
    troubles.copied.process.stop()
    troubles.copied.config.write_text(json.dumps(config))
    troubles.copied.restart()
    expect(decisions).to_have_count(0)
    assert troubles.server.call("agent.show", agent="web-1")["presence"] == "online"

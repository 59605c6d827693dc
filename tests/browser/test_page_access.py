"""Dialogs keep the focus inside and give it back; what axe says of them and of every page is in the tour."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from support.browser import visiting
from support.scene import Scene

DIALOGS = {
    "palette": ("/", "Control+k"),
    "shortcuts": ("/", "?"),
    "add-server": ("/fleet", "n"),
    "run": ("/tasks/deploy-shop", "r"),
    "cancel": ("/executions/{running}", "c"),
}
INSIDE = "() => [...document.querySelectorAll('[role=dialog]')].at(-1)?.contains(document.activeElement) ?? false"
STOPS = 25


@pytest.mark.parametrize("name", DIALOGS)
def test_a_dialog_keeps_the_focus_and_gives_it_back(browser: Browser, scene: Scene, name: str) -> None:
    path, key = DIALOGS[name]
    with visiting(browser, scene.server) as visitor:
        visitor.enter()
        visitor.open(path.format(**scene.executions))
        visitor.settle()
        page = visitor.page
        before = page.get_by_role("navigation").get_by_role("link", name="System")
        before.focus()
        page.keyboard.press(key)
        page.get_by_role("dialog").wait_for()
        visitor.settle()
        for direction in ("Tab", "Shift+Tab"):
            for _ in range(STOPS):
                page.keyboard.press(direction)
                assert page.evaluate(INSIDE), f"{direction} leads out of the dialog"
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(before).to_be_focused()

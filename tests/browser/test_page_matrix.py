"""Cells of the matrix are chosen and acted upon: by keys, with a mouse, and by touch on a phone, in both languages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from support.browser import Visitor, visiting
from support.scene import Scene
from support.words import Words

EN = Words("en")


@pytest.fixture
def matrix(browser: Browser, scene: Scene) -> Iterator[Visitor]:
    """The execution that failed on web-2: rows web-2, db-1, web-1 in the order of their worst states."""
    with visiting(browser, scene.server) as visitor:
        visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
        visitor.enter()
        visitor.open(f"/executions/{scene.executions['failed']}?layout=matrix&step=1")
        expect(visitor.page.get_by_role("row")).to_have_count(4)
        yield visitor


def _cell(page: Page, host: str, step: int) -> Locator:
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=host))
    return row.get_by_role("gridcell").nth(step)


def _chosen(page: Page) -> set[tuple[str, int]]:
    """Return the chosen cells, as host and step."""
    rows = page.get_by_role("row").filter(has=page.get_by_role("gridcell")).all()
    return {
        (row.get_by_role("rowheader").inner_text().strip(), step)
        for row in rows
        for step, cell in enumerate(row.get_by_role("gridcell").all())
        if cell.get_attribute("aria-selected") == "true"
    }


def _told(page: Page, text: str) -> None:
    expect(page.get_by_role("toolbar").get_by_text(text, exact=True)).to_be_visible()


def test_keys_choose_cells_rows_columns_and_rectangles(matrix: Visitor) -> None:
    page = matrix.page
    _cell(page, "web-1", 1).focus()
    page.keyboard.press("Space")
    _told(page, "1 cell on 1 host selected")
    page.keyboard.press("Shift+ArrowRight")
    _told(page, "2 cells on 1 host selected")
    assert _chosen(page) == {("web-1", 1), ("web-1", 2)}
    top = page.get_by_role("rowheader").first.inner_text().strip()
    page.keyboard.press("Control+Home")
    page.keyboard.press("Control+Space")
    page.keyboard.press("Shift+Space")
    assert top == "web-2"
    assert _chosen(page) == {("db-1", 0), ("web-1", 1), ("web-1", 2), ("web-2", 1), ("web-2", 2), ("web-2", 3)}
    page.keyboard.press("Control+a")
    _told(page, "7 cells on 3 hosts selected")
    page.keyboard.press("Escape")
    expect(page.get_by_role("toolbar")).to_have_count(0)
    assert _chosen(page) == set()
    page.keyboard.press("x")
    expect(page.get_by_role("checkbox", name=EN("execution.tick", name=top))).to_be_checked()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text(EN("execution.keys.chooseColumn"))


def test_a_click_opens_and_with_ctrl_or_shift_it_chooses(matrix: Visitor) -> None:
    page = matrix.page
    _cell(page, "web-1", 1).click()
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    _cell(page, "web-1", 1).click(modifiers=["ControlOrMeta"])
    _cell(page, "web-2", 2).click()
    assert _chosen(page) == {("web-1", 1), ("web-2", 2)}
    _cell(page, "web-2", 2).click()
    _cell(page, "web-1", 1).click()
    expect(page.get_by_role("toolbar")).to_have_count(0)
    _cell(page, "web-1", 0).click(modifiers=["ControlOrMeta"])
    assert _chosen(page) == set(), "a step that does not run on a host cannot be chosen"
    _cell(page, "web-1", 1).click(modifiers=["ControlOrMeta"])
    _cell(page, "web-2", 2).click(modifiers=["Shift"])
    assert {("web-1", 1), ("web-1", 2), ("web-2", 1), ("web-2", 2)} == _chosen(page)
    page.get_by_role("checkbox", name=EN("execution.tick", name="web-2")).check()
    assert ("web-2", 3) in _chosen(page)


def test_what_is_chosen_is_compared_read_and_copied(matrix: Visitor) -> None:
    page = matrix.page
    for host in ("web-1", "web-2"):
        _cell(page, host, 1).click(modifiers=["ControlOrMeta"])
    page.get_by_role("button", name=EN("execution.copyNames")).click()
    expect(page.get_by_label("Messages")).to_contain_text("2 names are copied.")
    assert page.evaluate("() => navigator.clipboard.readText()") == "web-1\nweb-2"
    page.get_by_role("toolbar").get_by_role("button", name=EN("execution.compare")).click()
    expect(page.get_by_role("region", name=EN("collated.difference"))).to_contain_text("no space left on device")
    expect(page.get_by_text("Only 2 hosts")).to_be_visible()
    page.keyboard.press("3")
    expect(page.get_by_role("region", name="Output of 2 hosts")).to_be_visible()
    expect(page.get_by_text("243 lines")).to_be_visible()
    page.get_by_role("button", name="1 · build").click()
    expect(page.get_by_text("Building shop v1.4.2")).to_have_count(0)
    page.get_by_role("button", name=EN("collated.allHosts")).click()
    expect(page.get_by_text("Building shop v1.4.2")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_cells_are_chosen_by_touch_on_a_phone(browser: Browser, scene: Scene, language: str) -> None:
    words = Words(language)
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "locale": language}
    with visiting(browser, scene.server, **phone) as visitor:
        visitor.enter()
        visitor.open(f"/executions/{scene.executions['failed']}?layout=matrix&step=1")
        page = visitor.page
        page.get_by_role("button", name=words("execution.choose")).tap()
        for host in ("web-1", "web-2"):
            _cell(page, host, 0).tap()
        expect(page.get_by_role("gridcell", selected=True)).to_have_count(2)
        chosen = words(
            "execution.chosen", cells=words("execution.cells", n=2), hosts=words("execution.hostsCount", n=2)
        )
        _told(page, chosen)
        assert visitor.violations() == []
        page.get_by_role("button", name=words("execution.openLogs")).tap()
        expect(page.get_by_text(words("log.count", n=243))).to_be_visible()

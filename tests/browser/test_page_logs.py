"""Logs in a browser: long ones, live ones, those of earlier attempts; by keyboard, over one connection."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from support.api import start
from support.browser import ON_SQLITE, Visitor
from support.programs import RunningServer

pytestmark = [ON_SQLITE, pytest.mark.usefixtures("shared_agent")]
MOST_ELEMENTS = 2000
SIDEWAYS = """() => {
  const log = document.querySelector('[role=region].code')
  return log.scrollWidth > log.clientWidth
}"""


def _wait_until_over(page: Page, state: str = "Succeeded") -> None:
    expect(page.locator("h1")).to_contain_text(state, timeout=60_000)


def _region(page: Page) -> Locator:
    return page.get_by_role("region", name="Output of")


def _line(page: Page, number: int) -> Locator:
    return page.get_by_role("button", name=f"Link to line {number}", exact=True)


def _asked(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_a_million_lines_are_reached_at_both_ends_with_few_rows_on_the_page(
    inside: Visitor, shared_server: RunningServer
) -> None:
    execution = start(shared_server, {"name": "long", "run": "seq 1000000"})
    page = inside.page
    inside.open(f"/executions/{execution}?layout=log")
    _wait_until_over(page)
    expect(page.get_by_text("1,000,000 lines")).to_be_visible(timeout=60_000)
    expect(_line(page, 1_000_000)).to_be_visible()
    region = _region(page)
    region.focus()
    page.keyboard.press("Home")
    expect(_line(page, 1)).to_be_visible()
    assert region.locator("*").count() <= MOST_ELEMENTS
    page.keyboard.press("End")
    expect(_line(page, 1_000_000)).to_be_visible()
    assert region.locator("*").count() <= MOST_ELEMENTS
    page.get_by_label("Search the log").fill("77777")
    expect(page.get_by_text("1 of 19", exact=True)).to_be_visible()
    expect(_line(page, 77_777)).to_be_visible()


def test_following_rests_while_somebody_reads_and_the_search_stays(
    inside: Visitor, shared_server: RunningServer, tmp_path: Path
) -> None:
    gate, end = tmp_path / "gate", tmp_path / "end"
    run = f"seq -f 'first %g' 300; until [ -e {gate} ]; do sleep 0.05; done; seq -f 'second %g' 300"
    execution = start(
        shared_server, {"name": "live", "run": f"{run}; until [ -e {end} ]; do sleep 0.05; done; echo last"}
    )
    page = inside.page
    inside.open(f"/executions/{execution}?layout=log")
    follow = page.get_by_role("button", name="Follow", exact=True)
    expect(_line(page, 300)).to_be_visible()
    expect(follow).to_have_attribute("aria-pressed", "true")
    _region(page).hover()
    page.mouse.wheel(0, -1500)
    expect(follow).to_have_attribute("aria-pressed", "false")
    page.get_by_label("Search the log").fill("first 10")
    expect(page.get_by_text("1 of 11", exact=True)).to_be_visible()
    page.get_by_role("button", name="Next hit").click()
    gate.touch()
    expect(page.get_by_text("600 lines")).to_be_visible()
    expect(page.get_by_text("2 of 11", exact=True)).to_be_visible()
    expect(_line(page, 600)).to_have_count(0)
    page.get_by_role("button", name="300 new lines").click()
    expect(_line(page, 600)).to_be_visible()
    _region(page).hover()
    page.mouse.wheel(0, -1500)
    expect(follow).to_have_attribute("aria-pressed", "false")
    _region(page).focus()
    page.keyboard.press("End")
    expect(follow).to_have_attribute("aria-pressed", "true")
    end.touch()
    expect(_line(page, 601)).to_be_visible()


def test_a_page_has_one_stream_of_events_and_repeats_nothing_after_it_broke(
    inside: Visitor, shared_server: RunningServer, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run = f"echo before; until [ -e {gate} ]; do sleep 0.05; done; echo after"
    execution = start(shared_server, {"name": "live", "run": run})
    page = inside.page
    streams: list[str] = []
    inside.open("/system")
    expect(page.locator("h1")).to_be_visible()
    page.on("request", lambda request: streams.append(request.url) if "/events" in request.url else None)
    inside.open(f"/executions/{execution}")
    expect(page.get_by_role("gridcell").first).to_be_visible()
    page.keyboard.press("3")
    expect(page.get_by_text("before", exact=True)).to_have_count(1)
    page.keyboard.press("1")
    page.get_by_role("gridcell").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("before", exact=True)).to_have_count(1)
    assert len(streams) == 1
    shared_server.process.kill()
    shared_server.restart()
    gate.touch()
    expect(dialog.get_by_text("after", exact=True)).to_have_count(1)
    expect(dialog.get_by_text("before", exact=True)).to_have_count(1)
    assert len(streams) > 1


def test_a_link_to_a_line_is_made_by_keyboard_and_belongs_to_its_log(
    inside: Visitor, shared_server: RunningServer
) -> None:
    execution = start(shared_server, {"name": "a", "run": "seq 500"}, {"name": "b", "run": "seq 500"})
    page = inside.page
    inside.open(f"/executions/{execution}?layout=log&step=0")
    _wait_until_over(page)
    expect(_line(page, 500)).to_be_visible()
    _region(page).focus()
    page.keyboard.press("Home")
    expect(_line(page, 1)).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url("**line=1*")
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**line=2*")
    page.keyboard.press("Y")
    expect(page.get_by_text("Link to line 2 copied.")).to_be_visible()
    inside.open(f"/executions/{execution}?layout=log&step=0&line=250")
    expect(_line(page, 250)).to_be_visible()
    page.keyboard.press("]")
    page.wait_for_url("**step=1*")
    expect(_line(page, 500)).to_be_visible()
    assert "line" not in _asked(page)
    page.keyboard.press("?")
    expect(page.get_by_text("Copy a link to the line")).to_be_visible()


def test_the_first_error_is_the_first_line_of_standard_error_when_none_is_called_so(
    inside: Visitor, shared_server: RunningServer
) -> None:
    run = "seq 2000; echo 'it went wrong' >&2; seq 2000; echo 'more of it' >&2; exit 3"
    execution = start(shared_server, {"name": "silent", "run": run})
    page = inside.page
    inside.open(f"/executions/{execution}?layout=log")
    _wait_until_over(page, "Failed")
    expect(_line(page, 4002)).to_be_visible()
    page.get_by_role("button", name="First error").click()
    expect(page.get_by_text("it went wrong", exact=True)).to_be_visible()


def test_groups_of_equal_output_are_found_by_host_and_copied(inside: Visitor, shared_server: RunningServer) -> None:
    execution = start(shared_server, {"name": "say", "run": "echo one; echo two"})
    page = inside.page
    inside.context.grant_permissions(["clipboard-read", "clipboard-write"])
    inside.open(f"/executions/{execution}?layout=collated")
    _wait_until_over(page)
    find = page.get_by_label("Filter hosts")
    find.fill("nobody")
    expect(page.get_by_text("No host of this step has such a name")).to_be_visible()
    find.fill("ONE")
    page.get_by_role("button", expanded=False).filter(has_text="one").last.click()
    page.get_by_role("button", name="Copy the output").click()
    expect(page.get_by_text("Output copied.")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == "one\ntwo\n"
    assert inside.violations() == []


def test_the_end_of_wrapped_lines_is_in_sight(inside: Visitor, shared_server: RunningServer) -> None:
    execution = start(
        shared_server, {"name": "wide", "run": "for n in $(seq 12); do seq -s ' ' 150; done; echo the end"}
    )
    page = inside.page
    inside.resize(360)
    inside.open(f"/executions/{execution}?layout=collated")
    _wait_until_over(page)
    page.get_by_role("button", expanded=False).filter(has_text="one").last.click()
    expect(_line(page, 13)).to_be_in_viewport()
    expect(_region(page).get_by_text("the end", exact=True)).to_be_in_viewport()


def test_a_log_has_times_marks_and_wrap_and_can_be_taken_along(inside: Visitor, shared_server: RunningServer) -> None:
    run = r"printf '\033[31mred\033[0m 10%%\r\033[31mred\033[0m 99%%\n'; seq -s ' ' 400; echo wrong >&2"
    execution = start(shared_server, {"name": "say", "run": run})
    page = inside.page
    inside.resize(1100)
    inside.open(f"/executions/{execution}?layout=log&step=0")
    _wait_until_over(page)
    rows = _region(page).locator("[data-index]")
    expect(rows.nth(0)).to_contain_text("red 99%")
    red = rows.nth(0).get_by_text("red", exact=True)
    assert red.evaluate("it => getComputedStyle(it).color !== getComputedStyle(it.parentElement).color")
    expect(rows.filter(has_text="wrong")).to_contain_text("Standard error:")
    wrap = page.get_by_role("button", name="Wrap", exact=True)
    expect(wrap).to_have_attribute("aria-pressed", "true")
    assert not page.evaluate(SIDEWAYS)
    page.keyboard.press("w")
    expect(wrap).to_have_attribute("aria-pressed", "false")
    assert page.evaluate(SIDEWAYS)
    expect(rows.nth(0).locator("time")).to_have_count(0)
    page.get_by_role("button", name="Times").click()
    expect(rows.nth(0).locator("time")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d\.\d{3}$"))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the log").click()
    raw = Path(download.value.path()).read_bytes()
    assert b"wrong\n" in raw and b"\x1b[31mred\x1b[0m 10%\r" in raw
    with page.expect_popup() as text:
        page.get_by_role("link", name="Open as text").click()
    expect(text.value.locator("body")).to_contain_text("99%")

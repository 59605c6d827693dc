"""Building a task in a browser: steps are dragged and moved by keys, into blocks too; a problem leads to its place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml
from playwright.sync_api import Locator, Page, expect

from support.browser import ON_SQLITE, Visitor
from support.programs import RunningServer
from support.waiting import wait_until_sync

pytestmark = ON_SQLITE
# What a dialog does to the page behind it, as long as it is there.
LOCKED = """() => {
  const { pointerEvents, overflow } = getComputedStyle(document.body)
  const main = document.querySelector('main')
  const hidden = main.closest('[inert], [aria-hidden=true]') !== null
  const locks = { hidden, pointer: pointerEvents === 'none', scroll: overflow === 'hidden' }
  return Object.keys(locks).filter((lock) => locks[lock])
}"""
SOURCE = """\
# Kept by hand: do not lose this line.
name: tidy-up
on: all
steps:
  - name: first
    run: echo 1
  # This one must stay with its step.
  - name: second
    run: echo 2
  - name: third
    run: echo 3  # why three
"""
BLOCK = """\
name: tidy-up
on: all
steps:
  - name: first
    run: echo 1
  - name: roll out
    rollout:
      batches: 1 100%
    steps:
      # Gently.
      - name: stop
        run: echo 2
  - name: last
    run: echo 3
"""


@pytest.fixture
def builder(inside: Visitor, shared_server: RunningServer) -> Iterator[Visitor]:
    """Somebody who edits a task of three steps."""
    shared_server.call("task.apply", source=SOURCE, format="yaml")
    inside.open("/tasks/tidy-up/edit")
    inside.settle()
    yield inside
    shared_server.call("task.delete", task="tidy-up")


def _cards(page: Page) -> Locator:
    return page.get_by_role("list", name="Steps").get_by_role("listitem")


def _names(page: Page) -> list[str]:
    """Return the names of the steps from top to bottom."""
    return _cards(page).locator("[aria-pressed]").all_inner_texts()


def _card(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=f": {name}")


def _makes_room(page: Page) -> bool:
    """Say whether what is dragged is the first by now. The list overlooks a pointer that comes while its cards still
    move; a hand is never so still that it does not come again."""
    for y in (6, 8):
        _cards(page).nth(0).hover(force=True, position={"x": 20, "y": y})
    return "third" in _cards(page).nth(0).inner_text()


def _saved(visitor: Visitor) -> str:
    """Save and return the text that the server has then."""
    visitor.page.keyboard.press("Control+s")
    visitor.page.wait_for_url("**/tasks/tidy-up")
    return str(visitor.server.call("task.show", task="tidy-up")["source"])


def test_a_step_is_dragged_to_another_place_and_comments_go_with_it(builder: Visitor) -> None:
    page = builder.page
    expect(_cards(page)).to_have_count(3)
    _cards(page).nth(2).locator(".grip").hover()
    page.mouse.down()
    _cards(page).nth(1).hover(force=True)
    wait_until_sync(lambda: _makes_room(page), 60, "the list to make room at its top")
    page.mouse.up()
    expect(_cards(page)).to_have_count(3)
    assert _names(page) == ["third", "first", "second"]
    saved = _saved(builder)
    assert saved.index("name: third") < saved.index("name: first") < saved.index("name: second")
    assert "echo 3  # why three" in saved or "echo 3 # why three" in saved
    comment = saved.index("# This one must stay with its step.")
    assert saved.index("name: first") < comment < saved.index("name: second")
    assert saved.startswith("# Kept by hand: do not lose this line.\n")


def _drag(page: Page, name: str, to: str) -> None:
    """Drag a step by its grip to the place of another one."""
    grip, target = (page.locator("li", has=_card(page, one)).last for one in (name, to))
    grip.locator(".grip").first.hover()
    page.mouse.down()

    def arrived() -> bool:
        for y in (6, 8):
            target.hover(force=True, position={"x": 60, "y": y + 30})
        return target.locator("xpath=..").get_by_text(name, exact=True).count() > 0

    wait_until_sync(arrived, 60, f"the list of {to} to make room")
    page.mouse.up()


def test_steps_enter_a_block_leave_it_and_stand_at_the_end(builder: Visitor) -> None:
    """A block's steps are cards as all others: dragged, moved by keys, opened, and told of their problems."""
    page = builder.page
    builder.server.call("task.apply", source=BLOCK, format="yaml")
    builder.open("/tasks/tidy-up/edit")
    inside = page.get_by_role("list", name="Steps of roll out").get_by_role("listitem")
    _drag(page, "first", to="stop")
    expect(inside).to_have_count(2)
    _card(page, "last").focus()
    page.keyboard.press("Alt+ArrowRight")
    expect(inside).to_have_count(3)
    expect(_card(page, "last")).to_be_focused()
    _card(page, "stop").focus()
    page.keyboard.press("Alt+ArrowLeft")
    expect(inside).to_have_count(2)
    expect(_card(page, "stop")).to_be_focused()
    _card(page, "last").click()
    panel = page.get_by_role("region", name="Step 2 of roll out")
    panel.get_by_role("textbox", name="Timeout").first.fill("soon")
    _card(page, "stop").click()
    page.get_by_role("region", name="Check of the task").get_by_role("button").click()
    expect(panel.get_by_role("textbox", name="Timeout").first).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("5m")
    page.get_by_role("button", name="Add a final step").click()
    page.get_by_role("region", name="Final step 1").get_by_role("textbox", name="Name").fill("tidy")
    builder.settle()
    task = yaml.safe_load(saved := _saved(builder))
    assert [step["name"] for step in task["steps"]] == ["roll out", "stop"]
    assert [step["name"] for step in task["steps"][0]["steps"]] == ["first", "last"]
    assert task["steps"][0]["steps"][1]["timeout"] == "5m" and [step["name"] for step in task["always"]] == ["tidy"]
    assert saved.index("# Gently.") < saved.index("name: stop")


def test_a_step_is_moved_deleted_and_brought_back_by_keys(builder: Visitor) -> None:
    page = builder.page
    _card(page, "first").focus()
    page.keyboard.press("Alt+ArrowDown")
    expect(_cards(page).nth(1)).to_contain_text("first")
    assert _names(page) == ["second", "first", "third"]
    expect(_card(page, "first")).to_be_focused()
    page.keyboard.press("Alt+ArrowDown")
    expect(_cards(page).nth(2)).to_contain_text("first")
    page.keyboard.press("Delete")
    expect(_cards(page)).to_have_count(2)
    page.get_by_label("Messages").get_by_role("button", name="Undo").click()
    expect(_cards(page)).to_have_count(3)
    page.get_by_role("button", name="Undo", exact=True).first.click()
    expect(_cards(page).nth(1)).to_contain_text("first")


def test_a_problem_leads_to_its_field(builder: Visitor) -> None:
    page = builder.page
    _card(page, "second").click()
    page.get_by_role("textbox", name="Timeout").first.fill("soon")
    problem = page.get_by_role("region", name="Check of the task").get_by_role("button")
    expect(problem).to_contain_text("soon is not a duration")
    _card(page, "first").click()
    expect(page.get_by_role("textbox", name="Name").first).to_have_value("first")
    problem.click()
    field = page.get_by_role("textbox", name="Timeout").first
    expect(field).to_be_focused()
    expect(field).to_have_value("soon")
    expect(field).to_have_attribute("aria-invalid", "true")


def test_a_problem_of_the_task_leads_to_its_setting_on_a_phone(builder: Visitor) -> None:
    page = builder.page
    builder.resize(360, 740)
    page.get_by_role("button", name="Task settings").click()
    page.get_by_role("dialog").get_by_role("textbox", name="Targets").fill("role=")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("region", name="Check of the task").get_by_role("button").first.click()
    expect(page.get_by_role("dialog").get_by_role("textbox", name="Targets")).to_be_focused()


def test_a_problem_leads_to_its_line(builder: Visitor) -> None:
    page = builder.page
    page.get_by_role("button", name="YAML", exact=True).click()
    editor = page.get_by_role("textbox", name="Source of tidy-up")
    editor.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("    tiemout: 5m")
    problem = page.get_by_role("region", name="Check of the task").get_by_role("button")
    expect(problem).to_contain_text("tiemout")
    page.keyboard.press("Control+Home")
    expect(page.locator(".cm-activeLine")).to_contain_text("Kept by hand")
    problem.click()
    expect(page.locator(".cm-activeLine")).to_contain_text("tiemout: 5m")
    expect(editor).to_be_focused()
    page.get_by_role("button", name="Builder", exact=True).click()
    expect(_cards(page)).to_have_count(3)
    problem.click()
    expect(page.locator(".cm-activeLine")).to_contain_text("tiemout: 5m")


def test_a_window_that_grows_and_shrinks_keeps_the_builder_in_hand(builder: Visitor) -> None:
    """The step's panel is beside the steps where there is room, else a drawer: neither leaves the page locked."""
    page = builder.page
    panel = page.get_by_role("region", name="Step 2")
    drawer = page.get_by_role("dialog")
    _card(page, "second").click()
    expect(panel).to_be_visible()
    builder.resize(700)
    expect(panel).to_have_count(0)
    expect(drawer).to_have_count(0)
    _card(page, "second").click()
    drawer.get_by_role("textbox", name="Command").fill("echo typed on a narrow screen")
    builder.resize(1440)
    expect(drawer).to_have_count(0)
    expect(panel.get_by_role("textbox", name="Command")).to_have_value("echo typed on a narrow screen")
    _card(page, "third").click()
    expect(_card(page, "third")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(LOCKED) == []
    builder.resize(700)
    expect(drawer).to_have_count(0)
    assert "typed on a narrow screen" in _saved(builder)

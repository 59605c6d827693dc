"""A task's versions are compared and brought back; a step's form fits its executor; deleting asks first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from support.browser import ON_SQLITE, Visitor
from support.programs import CallFailed, RunningAgent, RunningServer

pytestmark = ON_SQLITE
FIRST = "# By hand.\nname: mend-me\non: one\nsteps:\n  - {name: first, run: echo 1}\n"
SECOND = FIRST.replace("echo 1", "echo 2")


@pytest.fixture
def task(inside: Visitor, shared_server: RunningServer, shared_agent: RunningAgent) -> Iterator[Visitor]:
    """Somebody who looks at a task that was saved twice."""
    for source in (FIRST, SECOND):
        shared_server.call("task.apply", source=source, format="yaml")
    inside.open("/tasks/mend-me")
    inside.settle()
    yield inside
    if any(one["name"] == "mend-me" for one in shared_server.call("task.list")["items"]):
        shared_server.call("task.delete", task="mend-me")


def test_two_versions_stand_side_by_side_and_the_old_one_comes_back(task: Visitor) -> None:
    page = task.page
    page.get_by_role("tab", name="Versions").click()
    diff = page.get_by_role("region", name="Differences from Revision 1 to Revision 2")
    changed = diff.get_by_role("row").filter(has_text="echo 1")
    expect(changed).to_contain_text("echo 2")
    page.get_by_role("button", name="Restore revision 1").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Its text becomes revision 3.")
    dialog.get_by_role("button", name="Restore", exact=True).click()
    expect(page.get_by_text("Revision 1 is back, saved as revision 3.")).to_be_visible()
    expect(page.get_by_text("Both versions are the same.")).to_be_visible()
    assert task.server.call("task.show", task="mend-me")["source"] == FIRST


def test_deleting_a_task_asks_first(task: Visitor) -> None:
    page = task.page
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Its executions and their output stay.")
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1, name="Tasks")).to_be_visible()
    with pytest.raises(CallFailed, match="not_found"):
        task.server.call("task.show", task="mend-me")


def test_a_step_has_a_form_that_fits_its_executor_and_the_text_keeps_its_comments(task: Visitor) -> None:
    page = task.page
    page.keyboard.press("e")
    page.get_by_role("button", name="Step 1: first").click()
    expect(page.get_by_text("1 host matches now")).to_be_visible()
    page.get_by_role("combobox", name="What it does").select_option("http")
    panel = page.get_by_role("region", name="Step 1")
    panel.get_by_role("textbox", name="url").fill("https://shop.example/health")
    panel.get_by_role("combobox", name="method").select_option("HEAD")
    expect(panel.get_by_role("combobox", name="follow_redirects")).to_have_value("")
    expect(page.get_by_role("region", name="Check of the task")).to_contain_text("The task can be saved.")
    page.get_by_role("button", name="YAML", exact=True).click()
    text = page.locator(".cm-content")
    expect(text).to_contain_text("# By hand.")
    expect(text).to_contain_text("method: HEAD")
    page.get_by_role("button", name="Builder", exact=True).click()
    expect(panel.get_by_role("textbox", name="url")).to_have_value("https://shop.example/health")


def test_a_block_is_built_and_its_problems_lead_to_its_steps(task: Visitor) -> None:
    page = task.page
    page.keyboard.press("e")
    page.get_by_role("button", name="Add a block").click()
    card = page.get_by_role("list", name="Steps").get_by_role("listitem").nth(1)
    expect(card).to_contain_text("1 10% 100%")
    page.get_by_role("textbox", name="Batches", exact=True).fill("1 100%")
    page.get_by_role("textbox", name="Hosts that may fail").fill("1")
    inside = page.get_by_role("list", name="Steps of roll out")
    inside.get_by_role("button", name="Step 1: step").click()
    command = page.get_by_role("textbox", name="Command")
    page.get_by_role("textbox", name="Name").first.fill("stop")
    command.fill("")
    problem = page.get_by_role("region", name="Check of the task").get_by_role("button").first
    expect(problem).to_contain_text("run")
    problem.click()
    expect(page.get_by_role("textbox", name="Name").first).to_be_focused()
    command.fill("echo stopped")
    page.get_by_role("button", name="Add a step to the block").click()
    page.get_by_role("textbox", name="Name").first.fill("start")
    expect(page.get_by_role("region", name="Check of the task")).to_contain_text("The task can be saved.")
    expect(card).to_contain_text("stop → start")
    page.keyboard.press("Control+s")
    page.wait_for_url("**/tasks/mend-me")
    block = task.server.call("task.show", task="mend-me")["definition"]["steps"][1]
    assert [step["name"] for step in block["steps"]] == ["stop", "start"]
    assert (block["rollout"]["batches"], block["rollout"]["max_failures"]) == ("1 100%", "1")

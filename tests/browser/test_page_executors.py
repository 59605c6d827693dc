"""Types of steps that the server lacks: a form from what an agent has announced, and a check of the values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from support.browser import ON_SQLITE, Visitor
from support.programs import RunningAgent, RunningServer
from support.waiting import wait_until_sync

pytestmark = ON_SQLITE
PLUGIN = '''
from typing import Annotated, Literal
from pydantic import Field
from plumber_core import executor, hookimpl

@executor("shop-order", summary="order {number}")
async def order(
    ctx,
    number: Annotated[int, Field(ge=1, description="as the customer knows it")],
    size: Literal["small", "large"] = "small",
    urgent: bool = False,
):
    """Handles an order."""

@hookimpl
def register_executors():
    return [order]
'''
TASK = "{name: orders, on: shop, steps: [{name: one, uses: shop-order, with: {number: 7}}]}"


def test_a_step_that_only_an_agent_can_run_has_a_typed_form_and_is_checked(
    inside: Visitor, shared_server: RunningServer, start_agent: Callable[..., RunningAgent], tmp_path: Path
) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "shop.py").write_text(PLUGIN)
    start_agent(shared_server, "shop", PLUMBER_PLUGIN_FOLDER=str(tmp_path / "plugins"))
    kinds = lambda: {one["kind"] for one in shared_server.call("executor.list")}  # noqa: E731
    wait_until_sync(lambda: "shop-order" in kinds(), 30, "the agent to say what it can run")
    shared_server.call("task.apply", source=TASK)
    page = inside.page
    inside.open("/tasks/orders/edit")
    page.get_by_role("button", name=": one").click()
    number = page.get_by_role("textbox", name="number")
    expect(number).to_have_value("7")
    expect(page.get_by_text("as the customer knows it")).to_be_visible()
    expect(page.get_by_role("combobox", name="size").or_(page.get_by_label("size"))).to_be_visible()
    expect(page.get_by_role("combobox", name="urgent").or_(page.get_by_label("urgent"))).to_be_visible()
    number.fill("0")
    expect(page.get_by_role("region", name="Check of the task")).to_contain_text("number of shop-order")
    expect(number).to_have_attribute("aria-invalid", "true")

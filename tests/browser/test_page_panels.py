"""Plugins show panels in the page: tables, text and scripts of this server, each broken one in its own box only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from support.browser import Visitor, visiting
from support.programs import RunningServer

PLUGIN = '''
from plumber_core import EsModule, MarkdownOf, TableOf, WebPanel, hookimpl

MODULE = """export function mount(element, context) {
  element.textContent = `${context.slot} in ${context.language}`
  context.call('system.info').then((info) => element.append(` by ${info.version}`))
}"""
TEXT = "**Ada**, see [the list](https://rota.example/) <b>not bold</b> [no link](javascript:alert(1))"

@hookimpl
def register_web_panels():
    return [
        WebPanel("on-call", "home", "On call", MarkdownOf(TEXT), order=1),
        WebPanel("orders", "home", "Orders", TableOf("shop/orders", (("id", "Order"), ("by", "For"))), order=2),
        WebPanel("clock", "home", "Clock", EsModule("shop/clock.js"), order=3),
        WebPanel("broken", "home", "Broken", EsModule("shop/broken.js"), order=4),
        WebPanel("liar", "home", "Liar", TableOf("shop/liar", (("id", "Id"),)), order=5),
        WebPanel("of-task", "task", "Orders of this task", TableOf("shop/orders", (("task", "Task"),))),
    ]

@hookimpl(optionalhook=True)
def register_routes():
    from litestar import MediaType, Request, Response, get

    @get("/shop/orders", opt={"access": "person"}, sync_to_thread=False)
    def orders(request: Request) -> list[dict]:
        return [{"id": 7, "by": "Bob", "task": request.query_params.get("task")}]

    @get("/shop/clock.js", opt={"access": "public"}, sync_to_thread=False)
    def clock() -> Response:
        return Response(MODULE, media_type="text/javascript")

    @get("/shop/broken.js", opt={"access": "public"}, sync_to_thread=False)
    def broken() -> Response:
        return Response("export const nothing = 1", media_type="text/javascript")

    @get("/shop/liar", opt={"access": "person"}, sync_to_thread=False)
    def liar() -> dict:
        return {"rows": "none"}

    return [orders, clock, broken, liar]
'''


@pytest.fixture
def visitor(browser: Browser, start_server: Callable[..., RunningServer], tmp_path: Path) -> Iterator[Visitor]:
    """Somebody on a server with a plugin of one file that has panels."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "shop.py").write_text(PLUGIN)
    server = start_server(f"sqlite:///{tmp_path / 'plumber.db'}", PLUMBER_PLUGIN_FOLDER=str(tmp_path / "plugins"))
    with visiting(browser, server) as found:
        found.enter()
        yield found


def test_panels_stand_in_the_page_and_a_broken_one_harms_nobody(visitor: Visitor) -> None:
    page = visitor.page
    visitor.server.call("task.apply", source="{name: tidy, on: all, steps: [{name: one, run: echo 1}]}")
    visitor.open("/")
    written = page.get_by_role("region", name="On call")
    expect(written.locator("strong")).to_have_text("Ada")
    expect(written.get_by_role("link")).to_have_text(["the list"])
    expect(written).to_contain_text("<b>not bold</b>")
    expect(page.get_by_role("region", name="Orders").get_by_role("row").nth(1)).to_have_text("7Bob")
    expect(page.get_by_role("region", name="Clock")).to_contain_text("home in en by 0.")
    expect(page.get_by_role("region", name="Broken").get_by_role("alert")).to_contain_text("exports no function mount")
    expect(page.get_by_role("region", name="Liar").get_by_role("alert")).to_contain_text("a list of rows")
    visitor.go("/tasks/tidy")
    expect(page.get_by_role("cell", name="tidy", exact=True)).to_be_visible()
    assert visitor.wrongs == []

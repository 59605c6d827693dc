"""Logging in and out, as somebody with a browser does."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from support.api import ended, start
from support.browser import ON_SQLITE, Visitor
from support.programs import RunningAgent

pytestmark = ON_SQLITE
LOGIN = re.compile(r"/login(\?to=.*)?$")


def test_login_leads_back_to_where_one_was(visitor: Visitor) -> None:
    visitor.open("/fleet?add=")
    visitor.page.wait_for_url(LOGIN, wait_until="commit")
    visitor.log_in()
    assert visitor.page.url == f"{visitor.server.url}/fleet?add="


def test_a_wrong_password_is_told_in_words(visitor: Visitor) -> None:
    visitor.open("/")
    visitor.page.locator("input[type=password]").fill("wrong")
    visitor.page.keyboard.press("Enter")
    assert visitor.page.get_by_role("alert").inner_text() == "User name or password is wrong."


def test_no_script_can_read_the_session(visitor: Visitor) -> None:
    visitor.open("/")
    visitor.log_in()
    assert visitor.page.evaluate("document.cookie") == ""
    cookies = {cookie["name"]: cookie for cookie in visitor.context.cookies()}
    assert cookies["plumber_session"]["httpOnly"] and cookies["plumber_session"]["sameSite"] == "Strict"


def test_a_session_that_ends_elsewhere_asks_for_a_login_and_comes_back(visitor: Visitor) -> None:
    visitor.open("/system")
    visitor.log_in()
    visitor.context.clear_cookies()
    visitor.page.get_by_role("link", name="Fleet").click()
    visitor.page.wait_for_url(LOGIN, wait_until="commit")
    visitor.log_in()
    assert visitor.page.url.endswith("/fleet")


def test_a_session_that_ends_while_an_execution_is_watched_comes_back_to_the_same_line(
    visitor: Visitor, shared_agent: RunningAgent
) -> None:
    execution = start(visitor.server, "seq 300")
    ended(visitor.server, execution)
    place = f"/executions/{execution}?layout=log&step=0&line=250"
    visitor.open(place)
    visitor.log_in()
    page = visitor.page
    line = page.get_by_role("button", name="Link to line 250", exact=True)
    expect(line).to_be_visible()
    visitor.context.clear_cookies()
    page.keyboard.press("s")
    page.keyboard.type("29")
    page.wait_for_url(LOGIN, wait_until="commit")
    visitor.log_in()
    assert page.url == f"{visitor.server.url}{place}"
    expect(line).to_be_in_viewport()


def test_a_session_that_ends_while_a_task_is_edited_comes_back_to_what_was_typed(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("/tasks/new")
    visitor.log_in()
    page.get_by_role("textbox", name="Name").first.fill("half-done")
    visitor.context.clear_cookies()
    page.keyboard.press("Control+s")
    page.wait_for_url(LOGIN, wait_until="commit")
    visitor.log_in()
    expect(page.get_by_text("Your unsaved changes are back.")).to_be_visible()
    expect(page.get_by_role("textbox", name="Name").first).to_have_value("half-done")
    page.get_by_role("button", name="Discard them").click()
    expect(page.get_by_role("textbox", name="Name").first).not_to_have_value("half-done")


def test_logging_out_ends_the_session_on_the_server(visitor: Visitor) -> None:
    visitor.open("/")
    visitor.log_in()
    [cookie] = visitor.context.cookies()
    visitor.page.get_by_role("button", name="Log out").click()
    visitor.page.wait_for_url(LOGIN, wait_until="commit")
    visitor.context.add_cookies([cookie])
    visitor.open("/")
    visitor.page.wait_for_url(LOGIN, wait_until="commit")


def test_chinese_is_spoken_from_the_first_screen(chinese_visitor: Visitor) -> None:
    chinese_visitor.open("/")
    page = chinese_visitor.page
    page.get_by_role("button", name="登录").wait_for()
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    chinese_visitor.log_in()
    page.get_by_role("link", name="节点").first.wait_for()
    page.get_by_role("button", name="Switch to English").click()
    page.get_by_role("link", name="Fleet").first.wait_for()
    assert page.locator("html").get_attribute("lang") == "en"

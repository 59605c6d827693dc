"""An execution watched in a browser: live, by keyboard, through the death of the server, with hostile output."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import expect

from support.browser import Visitor
from support.programs import RunningAgent, RunningServer

HOSTILE = r"""printf '<b id=evil>bold</b><img src=x onerror="document.title=1">\n'
printf '\033]8;;https://evil.example\007click\033]8;;\007 \342\200\256gnp.exe\n'"""


def _start(server: RunningServer, *steps: dict[str, str]) -> str:
    source = json.dumps({"name": "watched", "on": "one", "steps": list(steps)})
    return str(server.call("execution.start", source=source, format="json")["id"])


def test_the_page_goes_on_by_itself_when_the_server_was_killed(
    inside: Visitor, shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    waiting = f"echo before; until [ -e {gate} ]; do sleep 0.05; done; echo after"
    execution = _start(shared_server, {"name": "wait", "run": waiting}, {"name": "end", "run": "echo end"})
    page = inside.page
    inside.open(f"/executions/{execution}?layout=log&step=0")
    expect(page.get_by_text("before", exact=True)).to_have_count(1)
    shared_server.process.kill()
    expect(page.get_by_text("The connection is lost", exact=False)).to_be_visible()
    gate.touch()
    shared_server.restart()
    expect(page.locator("h1")).to_contain_text("Succeeded", timeout=30_000)
    expect(page.get_by_text("after", exact=True)).to_have_count(1)
    expect(page.get_by_text("before", exact=True)).to_have_count(1)
    expect(page.get_by_text("The connection is lost", exact=False)).to_have_count(0)


def test_output_can_neither_run_nor_restyle_the_page(
    inside: Visitor, shared_server: RunningServer, shared_agent: RunningAgent
) -> None:
    execution = _start(shared_server, {"name": "hostile", "run": HOSTILE})
    inside.open(f"/executions/{execution}?layout=log")
    page = inside.page
    expect(page.get_by_text("<b id=evil>bold</b>", exact=False)).to_be_visible()
    assert page.locator("#evil").count() == 0
    assert page.locator("a[href*=evil]").count() == 0
    assert "\u202e" not in page.locator("main").inner_text()
    assert page.title() != "1"


def test_keys_lead_through_an_execution(
    inside: Visitor, shared_server: RunningServer, shared_agent: RunningAgent
) -> None:
    execution = _start(shared_server, {"name": "good", "run": "echo good"}, {"name": "bad", "run": "echo bad; exit 7"})
    page = inside.page
    inside.open(f"/executions/{execution}")
    expect(page.locator("h1")).to_contain_text("Failed", timeout=30_000)
    page.keyboard.press("f")
    page.wait_for_url("**step=1**")
    page.keyboard.press("3")
    expect(page.get_by_text("bad", exact=True).last).to_be_visible()
    page.keyboard.press("2")
    expect(page.get_by_text("exit code 7", exact=False)).to_be_visible()
    page.keyboard.press("1")
    page.get_by_role("gridcell").nth(1).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("echo bad; exit 7")).to_be_visible()
    inside.screenshot("execution-drawer")
    assert inside.violations() == []

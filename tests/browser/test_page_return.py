"""The page goes on by itself when its server was killed, on both databases: each tells of changes in its own way."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from support.api import start
from support.browser import Visitor
from support.programs import RunningAgent, RunningServer


def _gated(gate: Path) -> str:
    return f"echo before; until [ -e {gate} ]; do sleep 0.05; done; echo after"


def test_the_page_goes_on_by_itself_when_the_server_was_killed(
    inside: Visitor, shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    execution = start(shared_server, {"name": "wait", "run": _gated(gate)}, {"name": "end", "run": "echo end"})
    page = inside.page
    inside.open(f"/executions/{execution}?layout=log&step=0")
    expect(page.get_by_text("before", exact=True)).to_have_count(1)
    shared_server.process.kill()
    expect(page.get_by_text("The connection is lost", exact=False)).to_be_visible()
    gate.touch()
    shared_server.restart()
    expect(page.locator("h1")).to_contain_text("Succeeded")
    expect(page.get_by_text("after", exact=True)).to_have_count(1)
    expect(page.get_by_text("before", exact=True)).to_have_count(1)
    expect(page.get_by_text("The connection is lost", exact=False)).to_have_count(0)


def test_equal_outputs_go_on_when_the_server_was_killed(
    inside: Visitor, shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    execution = start(shared_server, {"name": "wait", "run": _gated(gate)})
    page = inside.page
    inside.open(f"/executions/{execution}?layout=collated")
    group = page.get_by_role("button", expanded=False).filter(has_text="one").last
    expect(group).to_contain_text("Running")
    shared_server.process.kill()
    expect(page.get_by_text("The connection is lost", exact=False)).to_be_visible()
    gate.touch()
    shared_server.restart()
    expect(group).to_contain_text("Succeeded")
    expect(group).to_contain_text("after")
    group.click()
    for line in ("before", "after"):
        expect(page.get_by_role("region", name="Output of").get_by_text(line, exact=True)).to_have_count(1)


def test_home_goes_on_when_the_server_was_killed(
    inside: Visitor, shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    execution = start(shared_server, {"name": "wait", "run": _gated(gate)})
    links = inside.page.locator(f"a[href$='/executions/{execution}']")
    inside.open("/")
    expect(inside.page.get_by_role("progressbar", name="Progress of test")).to_be_visible()
    expect(links).to_have_count(1)
    shared_server.process.kill()
    gate.touch()
    shared_server.restart()
    expect(inside.page.get_by_role("progressbar")).to_have_count(0)
    expect(links).to_have_count(1)
    expect(links.locator("xpath=ancestor::section").get_by_role("heading")).to_have_text("Ended lately")

"""An execution watched in a browser: live, by keyboard, with hostile output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from support.api import ended, start
from support.browser import ON_SQLITE, Visitor
from support.programs import RunningAgent, RunningServer

pytestmark = ON_SQLITE
HOSTILE = r"""printf '<b id=evil>bold</b><img src=x onerror="document.title=1">\n'
printf '\033]8;;https://evil.example\007click\033]8;;\007 \342\200\256gnp.exe\n'"""

# Whatever moves by itself, from the moment it is called on.
WATCH = """() => {
  window.moved = []
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries())
      window.moved.push([value, sources.map(({ node }) => node?.parentElement?.outerHTML.slice(0, 160))])
  }).observe({ type: 'layout-shift' })
}"""


def _gated(gate: Path) -> str:
    return f"echo before; until [ -e {gate} ]; do sleep 0.05; done; echo after"


def test_the_steps_that_run_are_followed_until_somebody_chooses_one(
    inside: Visitor, shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    gates = [tmp_path / name for name in ("one", "two", "three")]
    execution = start(shared_server, *({"name": gate.name, "run": _gated(gate)} for gate in gates))
    page = inside.page
    inside.open(f"/executions/{execution}?layout=matrix")
    current = page.locator("[aria-current=step]")
    expect(current).to_contain_text("one")
    gates[0].touch()
    expect(current).to_contain_text("two")
    page.get_by_role("button", name="1 · one").click()
    gates[1].touch()
    expect(page.get_by_role("button", name="3 · three")).to_contain_text("1 running")
    expect(current).to_contain_text("one")
    gates[2].touch()
    expect(page.locator("h1")).to_contain_text("Succeeded")


def test_a_failure_says_why_before_anybody_asks(
    inside: Visitor, shared_server: RunningServer, shared_agent: RunningAgent
) -> None:
    steps = [{"name": "good", "run": "true"}, {"name": "bad", "run": "echo fine; echo 'no space left' >&2; exit 28"}]
    execution = start(shared_server, *steps)
    page = inside.page
    inside.open(f"/executions/{execution}?layout=matrix")
    summary = page.get_by_role("region", name="Why it failed")
    expect(summary).to_contain_text("“bad” failed on 1 of 1 hosts")
    expect(summary).to_contain_text("exit code 28")
    expect(summary).to_contain_text("no space left")
    expect(page.get_by_role("gridcell").nth(1)).to_contain_text("exit 28")
    summary.get_by_role("button").click()
    page.wait_for_url("**layout=collated*")
    expect(page.locator("[aria-current=step]")).to_contain_text("bad")
    expect(summary).to_have_count(0)
    page.get_by_role("button", name="1 · good").click()
    expect(summary).to_contain_text("no space left")


def test_an_execution_shows_its_progress_against_the_usual_time(
    inside: Visitor, shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    task = {"name": "usual", "on": "one", "steps": [{"name": "wait", "run": _gated(gate)}]}
    shared_server.call("task.apply", source=json.dumps(task), format="json")
    ended(shared_server, shared_server.call("task.run", task="usual")["id"])
    gate.unlink()
    execution = shared_server.call("task.run", task="usual")["id"]
    for path in ("/", f"/executions/{execution}"):
        inside.open(path)
        bar = inside.page.get_by_role("progressbar", name="Progress of usual")
        expect(bar).to_have_attribute("aria-valuenow", "100")
        expect(inside.page.get_by_text("usually").first).to_be_visible()
    expect(inside.page.get_by_text("longer than usual")).to_be_visible()
    gate.touch()
    expect(inside.page.get_by_role("progressbar")).to_have_count(0)


def test_output_can_neither_run_nor_restyle_the_page(
    inside: Visitor, shared_server: RunningServer, shared_agent: RunningAgent
) -> None:
    execution = start(shared_server, {"name": "hostile", "run": HOSTILE})
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
    execution = start(shared_server, {"name": "good", "run": "echo good"}, {"name": "bad", "run": "echo bad; exit 7"})
    page = inside.page
    inside.open(f"/executions/{execution}")
    expect(page.locator("h1")).to_contain_text("Failed")
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


@pytest.mark.parametrize("layout", ["matrix", "collated", "log"])
def test_nothing_moves_by_itself_while_output_streams(
    inside: Visitor, shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path, layout: str
) -> None:
    gate, end = tmp_path / "gate", tmp_path / "end"
    lines = 'for part in $(seq 20); do seq -f "part $part line %g" 50; sleep 0.05; done; echo all'
    steps = [
        {"name": "wait", "run": _gated(gate)},
        {"name": "print", "run": lines},
        {"name": "end", "run": _gated(end)},
    ]
    execution = start(shared_server, *steps)
    page = inside.page
    inside.open(f"/executions/{execution}?layout={layout}&step=1")
    expect(page.locator("h1")).to_contain_text("Running")
    inside.settle()
    page.evaluate(WATCH)
    gate.touch()
    if layout == "matrix":
        expect(page.get_by_role("gridcell").nth(1).get_by_role("img", name="Succeeded")).to_be_visible()
    else:
        expect(page.get_by_text("all", exact=True).last).to_be_visible()
    assert page.evaluate("() => window.moved") == []
    end.touch()
    expect(page.locator("h1")).to_contain_text("Succeeded")


def test_what_is_not_there_leads_back(inside: Visitor) -> None:
    inside.open("/executions/nothing")
    alert = inside.page.get_by_role("alert")
    expect(alert).to_contain_text("There is no execution nothing.")
    alert.get_by_role("link", name="Back").click()
    expect(inside.page.get_by_role("heading", level=1, name="Executions")).to_be_visible()

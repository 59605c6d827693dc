"""One day's work by keyboard alone: from the login to a mended task, with real agents, in both languages and themes."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from support.browser import Visitor, visiting
from support.hands import Hands
from support.processes import Processes
from support.programs import PASSWORD, RunningServer, launch_server, opened
from support.words import Words

LOOKS = [("light", "en"), ("dark", "zh-CN")]


class Operator:
    """Somebody at the page with a keyboard, and with a terminal on each new server."""

    def __init__(self, visitor: Visitor, words: Words, servers: Path) -> None:
        self.visitor, self.words, self.servers = visitor, words, servers
        self.page: Page = visitor.page
        self.hands = Hands(visitor.page)
        self.terminals = contextlib.ExitStack()

    def button(self, key: str, within: Page | Locator | None = None, **arguments: object) -> Locator:
        return (within or self.page).get_by_role("button", name=self.words(key, **arguments), exact=True)

    def field(self, key: str, within: Page | Locator | None = None) -> Locator:
        return (within or self.page).get_by_role("textbox", name=self.words(key)).first

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog").last

    def log_in(self) -> None:
        self.visitor.open("/")
        self.hands.write(self.page.locator("input[autocomplete=username]"), "admin")
        self.hands.write(self.page.locator("input[type=password]"), PASSWORD)
        self.hands.press("Enter")
        expect(self.page.get_by_role("heading", name=self.words("home.first.title"))).to_be_visible()

    def add_server(self, name: str) -> None:
        """Make agent.json in the page and start the agent with the command that stands beside it."""
        self.hands.press("g", "f")
        expect(self.page.get_by_role("heading", level=1, name=self.words("frame.fleet"))).to_be_visible()
        self.hands.press("n")
        self.hands.to(self.dialog.get_by_role("tab", selected=True))
        self.hands.press("End")
        self.hands.write(self.field("fleet.file.name", self.dialog), name)
        self.hands.press("Enter")
        command = self.page.get_by_text("plumber-agent --config", exact=False).inner_text()
        with self.page.expect_download() as download:
            self.hands.activate(self.button("fleet.file.download"))
        folder = self.servers / name
        folder.mkdir()
        download.value.save_as(folder / "agent.json")
        terminal = self.terminals.enter_context(contextlib.closing(Processes(folder)))
        terminal.start("agent", [shutil.which("sh") or "sh", "-c", f"exec {command}"])
        expect(self.dialog.get_by_text(self.words("fleet.line.arrived", name=name))).to_be_visible()
        self.hands.press("Escape")
        row = self.page.get_by_role("row").filter(has=self.page.get_by_role("link", name=name, exact=True))
        expect(row).to_contain_text(self.words("states.online"))

    def build(self, name: str) -> None:
        """Build a task of two steps on all agents, from nothing."""
        self.hands.press("g", "t")
        expect(self.page.get_by_role("heading", level=1, name=self.words("frame.tasks"))).to_be_visible()
        self.hands.press("n")
        self.hands.write(self.field("builder.keys.name"), name)
        self.hands.activate(self.button("builder.add"))
        self.hands.write(self.field("builder.keys.name"), "second")
        self.hands.write(self.field("builder.keys.run"), "echo second on $PLUMBER_AGENT_NAME")
        self.save(name)

    def change(self, task: str, step: int, name: str, run: str) -> None:
        """Open a task by the palette, and let one of its steps run something else."""
        self.hands.press("Control+k")
        self.page.keyboard.type(task)
        expect(self.dialog.get_by_role("option", selected=True)).to_contain_text(task)
        self.hands.press("Enter")
        expect(self.page.get_by_role("heading", level=1)).to_contain_text(task)
        self.hands.press("e")
        self.hands.activate(self.button("builder.choose", n=step, name=name))
        self.hands.write(self.field("builder.keys.run"), run)
        self.save(task)

    def save(self, name: str) -> None:
        self.hands.press("Control+s")
        expect(self.page.get_by_role("heading", level=1)).to_contain_text(name)
        expect(self.page.get_by_role("tab", name=self.words("tasks.tabs.overview"))).to_be_visible()

    def run(self) -> None:
        """Start the task whose page is open, having looked at the plan."""
        self.hands.press("r")
        self.hands.activate(self.button("tasks.run.plan", self.dialog))
        expect(self.dialog.get_by_text(self.words("tasks.match.hosts", n=2)).first).to_be_visible()
        self.hands.activate(self.button("common.run", self.dialog))
        self.page.wait_for_url("**/executions/*")

    def see(self, state: str) -> None:
        expect(self.page.locator("h1")).to_contain_text(self.words(f"states.{state}"), timeout=60_000)


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """A server on its first day."""
    with opened(tmp_path, request) as processes:
        yield launch_server(processes, f"sqlite:///{tmp_path / 'plumber.db'}")


@pytest.mark.parametrize(("theme", "language"), LOOKS)
def test_a_newcomer_reaches_a_mended_task_by_keyboard_alone(
    browser: Browser, server: RunningServer, tmp_path: Path, theme: str, language: str
) -> None:
    with visiting(browser, server, locale=language, color_scheme=theme, accept_downloads=True) as visitor:
        person = Operator(visitor, Words(language), tmp_path)
        with person.terminals:
            _work(person, tmp_path / "gate")


def _work(person: Operator, gate: Path) -> None:
    person.log_in()
    person.add_server("web-1")
    person.add_server("web-2")
    person.build("greet")
    person.change("greet", 1, person.words("builder.newStep"), _held(gate))
    person.run()
    _watch(person, gate)
    person.change("greet", 2, "second", "echo no such file >&2; exit 7")
    person.run()
    _find_out(person)
    person.change("greet", 2, "second", "echo mended")
    person.run()
    person.see("succeeded")


def _held(gate: Path) -> str:
    return f"echo first on $PLUMBER_AGENT_NAME; until [ -e {gate} ]; do sleep 0.05; done"


def _watch(person: Operator, gate: Path) -> None:
    """See lines of both hosts while they run, then the end."""
    person.hands.press("3")
    for name in ("web-1", "web-2"):
        expect(person.page.get_by_text(f"first on {name}", exact=True)).to_be_visible()
    person.see("running")
    gate.touch()
    person.see("succeeded")
    person.hands.press("1")
    expect(person.page.get_by_role("gridcell")).to_have_count(4)


def _find_out(person: Operator) -> None:
    """From a failed execution to the line that says why."""
    person.see("failed")
    person.hands.press("1", "f")
    person.page.wait_for_url("**step=1**")
    person.hands.activate(person.page.locator("[data-cell][tabindex='0']"))
    expect(person.dialog.get_by_text("no such file", exact=True)).to_be_visible()
    expect(person.dialog.get_by_text("7", exact=True)).to_be_visible()
    person.hands.press("Escape")
    expect(person.page.get_by_role("dialog")).to_have_count(0)

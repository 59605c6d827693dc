"""What the page costs, in counts that no busy machine changes: rows, elements, requests, bytes.

The bounds are what was measured and half as much again, but for the first page's scripts, whose bound was promised.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from plumber_core.app import Plumber
from support.api import start
from support.browser import Visitor, visiting
from support.hand_agent import HandAgent, in_turns
from support.programs import RunningServer, launch_server, opened
from support.traffic import Traffic, joined, numbered_lines

HOSTS, STEPS, LINES = 2000, 5, 200_000
FAILING = 8


def _await(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in a thread: Playwright's own loop runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


class Rollout:
    """A server with an execution on many hosts that are not connected; ``tokens`` by name let one act for them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.tokens: dict[str, str] = {}
        self.execution = ""

    async def seed(self) -> None:
        async with Plumber(self.url, local_agent=False) as plumber:
            await in_turns(self._add(plumber, f"web-{number:04}") for number in range(HOSTS))
            steps = [{"name": f"step {number}", "run": "true"} for number in range(STEPS)]
            source = json.dumps({"name": "rollout", "on": "all", "steps": steps})
            self.execution = (await plumber.executions.start(source=source, format="json")).id

    async def _add(self, plumber: Plumber, name: str) -> None:
        self.tokens[name] = (await plumber.agents.create(name=name)).config.token


@pytest.fixture(scope="module")
def rollout(tmp_path_factory: pytest.TempPathFactory) -> Rollout:
    """The execution, in a database that no server has open yet."""
    found = Rollout(f"sqlite:///{tmp_path_factory.mktemp('counts') / 'plumber.db'}")
    _await(found.seed())
    return found


@pytest.fixture(scope="module")
def server(
    rollout: Rollout, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[RunningServer]:
    """The server of that database."""
    with opened(tmp_path_factory.mktemp("server"), request) as processes:
        yield launch_server(processes, rollout.url)


@pytest.fixture
def someone(browser: Browser, server: RunningServer) -> Iterator[tuple[Visitor, Traffic]]:
    """Somebody with an empty cache, not logged in, whose traffic is counted."""
    with visiting(browser, server) as visitor:
        traffic = Traffic()
        session = visitor.context.new_cdp_session(visitor.page)
        traffic.attach(session)
        session.send("Network.enable")
        yield visitor, traffic


def _elements(visitor: Visitor) -> int:
    return int(visitor.page.evaluate("() => document.querySelectorAll('*').length"))


def test_the_first_page_loads_little_script(someone: tuple[Visitor, Traffic]) -> None:
    visitor, traffic = someone
    visitor.open("/")
    visitor.log_in()
    visitor.settle()
    expect(visitor.page.get_by_text("rollout").first).to_be_visible()
    scripts = traffic.of(kind="Script")
    assert scripts and all(one.size is not None for one in scripts)
    assert traffic.bytes(kind="Script") <= 150 * 1024, sorted((one.size, one.path) for one in scripts)


def test_a_large_matrix_is_one_read_and_few_elements(
    someone: tuple[Visitor, Traffic], server: RunningServer, rollout: Rollout
) -> None:
    visitor, traffic = someone
    page = visitor.page
    visitor.open(f"/executions/{rollout.execution}")
    visitor.log_in()
    cells = page.get_by_role("gridcell")
    expect(cells.first).to_be_visible()
    matrix = "/api/execution.matrix"
    assert len(traffic.of(matrix)) == 1
    assert page.get_by_role("row").count() <= 60
    assert _elements(visitor) <= 2800
    assert traffic.bytes(matrix) <= HOSTS * 225
    assert len(traffic.of("/api")) <= 4
    page.get_by_role("gridcell").first.focus()
    page.locator("[role=grid]").evaluate("grid => { grid.parentElement.scrollTop = grid.parentElement.scrollHeight }")
    expect(page.get_by_text(f"web-{HOSTS - 1:04}")).to_be_visible()
    assert page.get_by_role("row").count() <= 60
    _await(_fail(server, rollout))
    expect(page.get_by_role("button", name=f"Failed {FAILING}", exact=True)).to_be_visible()
    assert len(traffic.of(matrix)) == 1, "a failure reads everything again"


async def _fail(server: RunningServer, rollout: Rollout) -> None:
    for number in range(FAILING):
        agent = await HandAgent.connect(server.url, rollout.tokens[f"web-{number:04}"])
        await agent.work(["failed"])
        await agent.close()


def test_a_long_log_is_read_in_few_small_pieces(someone: tuple[Visitor, Traffic], server: RunningServer) -> None:
    created = server.call("agent.create", name="printer")
    execution = start(server, "true", on="printer")
    _await(_print(server, created["config"]["token"]))
    visitor, traffic = someone
    page = visitor.page
    visitor.open(f"/executions/{execution}?layout=log&step=0")
    visitor.log_in()
    expect(page.get_by_text(f"{LINES:09d}", exact=False)).to_be_visible()
    assert len(traffic.of("/logs/")) <= 2
    assert traffic.bytes("/logs/") <= 150_000
    traffic.forget()
    visitor.open(f"/executions/{execution}?layout=log&step=0&line={LINES // 2}")
    expect(page.get_by_text(f"{LINES // 2:09d}", exact=False)).to_be_visible()
    assert len(traffic.of("/logs/")) <= 3
    assert traffic.bytes("/logs/") <= 1_600_000
    assert _elements(visitor) <= 1000


async def _print(server: RunningServer, token: str) -> None:
    agent = await HandAgent.connect(server.url, token)
    attempt = await agent.take()
    await agent.append_all(attempt, joined(numbered_lines(0, LINES)))
    await agent.report(attempt)
    await agent.close()

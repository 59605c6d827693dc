"""The page in a real Chromium: the first page, an execution of ten thousand hosts, a log of 1 GB, a fast stream."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import BrowserContext, CDPSession, Page, async_playwright

from bench.memory import resident
from bench.plumber_side import PlumberSystem
from bench.report import Report, Row
from bench.stats import median
from support.browser import FLAGS
from support.hand_agent import HandAgent, in_turns
from support.traffic import LINE, Traffic, joined, numbered_lines

HOSTS, AT_WORK, STEPS, ROUNDS = 10_000, 500, 5, 3
LINES, PER_SECOND, SECONDS, PER_CHUNK = 10_000_000, 5000, 10, 250
# Runs before the page's own scripts. Frames are numbered by their time, keys and what they brought by theirs.
WATCH = """() => {
  const seen = (window.__seen = { frames: [], pressed: 0, wanted: '', shown: 0, rows: 0, moved: 0 })
  addEventListener('keydown', () => (seen.pressed = performance.now()), true)
  const look = (at) => {
    seen.frames.push(at)
    if (!seen.rows && document.querySelector('[role=gridcell]')) seen.rows = performance.now()
    if (!seen.moved && location.search.includes('host=')) seen.moved = performance.now()
    const texts = seen.wanted && !seen.shown ? document.querySelectorAll('.code [data-index] > div > :last-child') : []
    if ([...texts].some((text) => text.textContent.startsWith(seen.wanted))) seen.shown = performance.now()
    requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
}"""


@dataclass
class Tab:
    """A tab with an empty cache, logged in, with its traffic."""

    context: BrowserContext
    page: Page
    session: CDPSession
    traffic: Traffic

    async def seen(self, name: str, timeout: float = 60.0) -> float:
        """Wait until the page has noted a moment; return it in milliseconds."""
        async with asyncio.timeout(timeout):
            while not (value := float(await self.page.evaluate("name => window.__seen[name]", name))):
                await asyncio.sleep(0.02)
        return value

    async def heap(self) -> float:
        """Return what the page's scripts hold after tidying, in MB."""
        await self.session.send("HeapProfiler.collectGarbage")
        metrics = (await self.session.send("Performance.getMetrics"))["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "JSHeapUsedSize") / 2**20


Visit = Callable[[], Awaitable[Tab]]


async def measure_page(report: Report, system: PlumberSystem) -> None:
    """Measure on a server of its own: its fleet is large afterwards."""
    report.say(f"page: seeding {HOSTS} hosts")
    rollout = await _rollout(system)
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "no Chromium: install it (Debian: apt-get install chromium), then try again"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        protocol = await browser.new_browser_cdp_session()

        async def visit() -> Tab:
            context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
            page = await context.new_page()
            tab = Tab(context, page, await context.new_cdp_session(page), Traffic())
            tab.traffic.attach(tab.session)
            await tab.session.send("Network.enable")
            await tab.session.send("Performance.enable")
            await page.add_init_script(f"({WATCH})()")
            await _log_in(tab, system)
            return tab

        await _first_page(report, visit)
        await _matrix(report, visit, system, rollout, protocol)
        await _log(report, visit, system)
        await browser.close()


async def _rollout(system: PlumberSystem) -> str:
    """Make hosts and an execution on all; some of them work, two in a hundred of those fail."""
    tokens = [(await system.add_agent(f"web-{number:05}"))[1] for number in range(HOSTS)]
    steps = [{"name": f"step {number}", "run": "true"} for number in range(STEPS)]
    source = json.dumps({"name": "rollout", "on": "all", "steps": steps})
    execution = (await system.call("execution.start", source=source, format="json"))["id"]

    async def work(number: int) -> None:
        agent = await HandAgent.connect(f"http://127.0.0.1:{system.port}", tokens[number])
        await agent.work(["failed" if number % 50 == 0 else "succeeded"])
        await agent.close()

    await in_turns(work(number) for number in range(AT_WORK))
    return str(execution)


async def _log_in(tab: Tab, system: PlumberSystem) -> None:
    await tab.page.goto(f"http://127.0.0.1:{system.port}/")
    await tab.page.locator("input[autocomplete=username]").fill("admin")
    await tab.page.locator("input[type=password]").fill(system.password)
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_selector("main#main")
    await tab.page.wait_for_selector("h1")


async def _first_page(report: Report, visit: Visit) -> None:
    tab = await visit()
    await asyncio.sleep(1)
    scripts = tab.traffic.bytes(kind="Script") / 1024
    report.row(Row("page: scripts of login and home, packed", scripts, "KB", budget=150))
    await tab.context.close()


async def _matrix(report: Report, visit: Visit, system: PlumberSystem, execution: str, protocol: CDPSession) -> None:
    ready, tab = [], None
    for _ in range(ROUNDS):
        tab = await visit()
        tab.traffic.forget()
        await tab.page.goto(f"http://127.0.0.1:{system.port}/executions/{execution}?layout=matrix")
        await tab.seen("rows")
        await tab.page.keyboard.press("j")
        ready.append(await tab.seen("moved") / 1000)
        if len(ready) < ROUNDS:
            await tab.context.close()
    assert tab is not None
    note = f"{HOSTS} hosts x {STEPS}; all: {', '.join(f'{one:.2f}' for one in ready)}"
    report.row(Row("page: execution interactive", median(ready), "s", budget=1, remark=note))
    report.row(
        Row("page: its requests", len(tab.traffic.of()), "", remark=f"to the API: {len(tab.traffic.of('/api'))}")
    )
    report.row(Row("page: its bytes", tab.traffic.bytes() / 1024, "KB"))
    elements = await tab.page.evaluate("() => document.querySelectorAll('*').length")
    report.row(Row("page: its elements", float(elements), ""))
    report.row(Row("page: its scripts' memory", await tab.heap(), "MB", budget=300))
    found = (await protocol.send("SystemInfo.getProcessInfo"))["processInfo"]
    largest = max(resident(one["id"]) for one in found if one["type"] == "renderer")
    report.row(Row("page: its process", largest, "MB", budget=300, remark="resident, shared libraries included"))
    await tab.context.close()


async def _log(report: Report, visit: Visit, system: PlumberSystem) -> None:
    _, token = await system.add_agent("printer")
    agent = await HandAgent.connect(f"http://127.0.0.1:{system.port}", token)
    source = json.dumps({"name": "loud", "on": "printer", "steps": [{"name": "print", "run": "true"}]})
    execution = (await system.call("execution.start", source=source, format="json"))["id"]
    attempt = await agent.take()
    report.say(f"page: writing {LINES * LINE / 1e9:.3g} GB")
    began = time.monotonic()
    await agent.append_all(attempt, joined(numbered_lines(0, LINES)))
    report.row(Row("page: the log written", time.monotonic() - began, "s", remark=f"{LINES} lines"))
    address = f"http://127.0.0.1:{system.port}/executions/{execution}?step=0"
    tails, jumps, links = [], [], []
    for number in range(ROUNDS):
        tab = await visit()
        tails.append(await _from_key(tab, f"{address}&layout=matrix", "3", LINES))
        await tab.page.locator("[role=region].code").focus()
        jumps.append(await _jump(tab, "Home", 1))
        middle = LINES // 2 + number
        links.append(await _from_key(tab, f"{address}&layout=matrix&line={middle}", "3", middle))
        await tab.context.close()
    report.row(Row("page: 1 GB log, key to tail", median(tails), "ms", budget=500, remark=_all(tails)))
    report.row(
        Row("page: 1 GB log, from its tail to its first line", median(jumps), "ms", budget=200, remark=_all(jumps))
    )
    note = f"the log opened there; {_all(links)}"
    report.row(Row("page: 1 GB log, key to a line in the middle", median(links), "ms", budget=200, remark=note))
    tab = await visit()
    await _from_key(tab, f"{address}&layout=matrix", "3", LINES)
    await _stream(report, tab, agent, attempt)
    await tab.context.close()
    await agent.close()


def _all(values: list[float]) -> str:
    return "all: " + ", ".join(f"{value:.0f}" for value in values)


async def _from_key(tab: Tab, address: str, key: str, line: int) -> float:
    """Open an address and do what ``_jump`` does."""
    await tab.page.goto(address)
    await tab.seen("rows")
    return await _jump(tab, key, line)


async def _jump(tab: Tab, key: str, line: int) -> float:
    """Return the milliseconds from a key to the picture that shows a line."""
    await tab.page.evaluate("line => void Object.assign(window.__seen, { wanted: line, shown: 0 })", f"{line:09d}")
    await tab.page.keyboard.press(key)
    shown = await tab.seen("shown")
    return shown - float(await tab.page.evaluate("() => window.__seen.pressed"))


async def _stream(report: Report, tab: Tab, agent: HandAgent, attempt: str) -> None:
    """Append lines as fast as told while the page follows."""
    last = LINES + PER_SECOND * SECONDS
    await tab.page.evaluate(
        "line => { Object.assign(window.__seen, { frames: [], shown: 0, wanted: line }) }", f"{last:09d}"
    )
    tab.traffic.forget()
    began = time.monotonic()
    for number, chunk in enumerate(numbered_lines(LINES, last, PER_CHUNK)):
        await asyncio.sleep(max(0.0, began + number * PER_CHUNK / PER_SECOND - time.monotonic()))
        await agent.append(attempt, chunk)
    took = time.monotonic() - began
    await tab.seen("shown")
    frames: list[float] = await tab.page.evaluate("() => window.__seen.frames")
    gaps = sorted(after - before for before, after in itertools.pairwise(frames))
    note = f"{len(gaps)} frames in {took:.1f} s, {sum(gap > 100 for gap in gaps)} gaps over 100 ms"
    report.row(Row(f"page: {PER_SECOND} lines/s, longest gap of frames", gaps[-1], "ms", budget=100, remark=note))
    report.row(
        Row(
            "page: reads of that stream",
            len(tab.traffic.of("/logs/")),
            "",
            remark=f"{tab.traffic.bytes('/logs/') / 2**20:.1f} MB",
        )
    )
    report.row(Row("page: scripts' memory after it", await tab.heap(), "MB", budget=300))

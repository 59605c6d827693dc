"""Fixtures: the page in a real Chromium, against a real server. Nothing of the network is mocked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

import plumber_web
from support.programs import HTTP, PASSWORD, RunningServer

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
AXE = Path(plumber_web.__file__).parent / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""What another theme can break."""
Theme = Literal["light", "dark"]
# As a link does; "/nowhere" lies between, so that the same page begins anew. False where unsaved work asks first.
GO = """async path => {
  const router = document.querySelector('#app').__vue_app__.config.globalProperties.$router
  await router.push('/nowhere')
  if (router.currentRoute.value.path !== '/nowhere') return false
  await router.push(path)
  await new Promise(requestAnimationFrame)
  return true
}"""
_MOST_LAYERS = 5
ON_SQLITE = pytest.mark.parametrize("started_server", ["sqlite"], indirect=True)
"""For what a browser cannot tell apart: which database its server has. ``test_page_return`` runs on both."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
# A command that leaves nothing to do: the browser refused it, and says so only on its console.
_EXPECTED_NOISE = ("status of 400", "status of 401", "status of 403", "status of 404", "status of 409", "net::ERR_")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium from the system's package; without it the tests say how to get it.

    Ended with its module: Playwright keeps a loop running in this thread, and asyncio starts no second one there.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "no Chromium: install it (Debian: apt-get install chromium fonts-noto-cjk), then try again"
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@dataclass
class Visitor:
    """Somebody with a browser. What no page may do is kept: foreign requests, errors, refused styles and scripts."""

    server: RunningServer
    context: BrowserContext
    page: Page
    wrongs: list[str] = field(default_factory=list)
    noise: tuple[str, ...] = _EXPECTED_NOISE
    """Parts of what the console may say."""

    def open(self, path: str) -> None:
        self.page.goto(f"{self.server.url}{path}")

    def go(self, path: str) -> None:
        """Go to an address within the page; when none is open yet, or the session is new, read it from the server."""
        self.close_dialogs()
        if not (self.page.url.startswith(self.server.url) and self.page.evaluate(GO, path)):
            self.open(path)

    def close_dialogs(self) -> None:
        """Press Escape until no dialog or menu is open."""
        layers = self.page.locator("[role=dialog], [role=menu]")
        for _ in range(_MOST_LAYERS):
            if (count := layers.count()) == 0:
                return
            self.page.keyboard.press("Escape")
            expect(layers).to_have_count(count - 1)

    def enter(self) -> None:
        """Have the session of somebody who has logged in, without the form."""
        if not self.server.session:
            answer = HTTP.post(
                f"{self.server.url}/session",
                json={"username": "admin", "password": PASSWORD},
                headers={"x-plumber-request": "1"},
            )
            self.server.session = answer.cookies["plumber_session"]
        cookie = {"name": "plumber_session", "value": self.server.session, "url": self.server.url}
        self.context.add_cookies([cookie])  # type: ignore[list-item]

    def log_in(self) -> None:
        """Log in as a person does, from whatever page asked for it."""
        self.page.locator("input[autocomplete=username]").fill("admin")
        self.page.locator("input[type=password]").fill(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("main#main")

    def settle(self) -> None:
        """Wait until the page shows content: no skeleton, no animation of something opening."""
        self.page.wait_for_selector("h1, [role=dialog], [role=alert]")
        expect(self.page.locator("[role=status].flex.flex-col > .animate-pulse")).to_have_count(0)

    def violations(self, rules: dict[str, Any] = RULES) -> list[str]:
        """Return what axe finds by WCAG 2.2 AA, or by some of its rules, each with its places."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text())
        found: dict[str, Any] = self.page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", rules
        )
        return [f"{one['id']}: {[node['html'][:160] for node in one['nodes'][:4]]}" for one in found["violations"]]

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def choose_theme(self, theme: Theme) -> None:
        """Let the system prefer a theme, and wait until the page follows."""
        self.page.emulate_media(color_scheme=theme)
        expect(self.page.locator("html")).to_have_attribute("data-theme", theme)

    def resize(self, width: int, height: int = 900) -> None:
        self.page.set_viewport_size({"width": width, "height": height})


Visit = Callable[..., Visitor]


@contextmanager
def visiting(
    browser: Browser, server: RunningServer, *, noise: tuple[str, ...] = (), **options: Any
) -> Iterator[Visitor]:
    """Open a browser's context of its own, and check at its end that nothing forbidden happened.

    Args:
        noise: what the console may say beside the usual.
    """
    settings = {"locale": "en-GB", "viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce"}
    context = browser.new_context(**{**settings, **options})
    context.set_default_timeout(60_000)
    visitor = Visitor(server, context, context.new_page(), noise=(*_EXPECTED_NOISE, *noise))
    visitor.page.on("request", lambda request: _note_foreign(visitor, request))
    visitor.page.on("console", lambda message: _note_console(visitor, message))
    visitor.page.on("pageerror", lambda error: visitor.wrongs.append(f"uncaught: {error}"))
    try:
        yield visitor
        assert visitor.wrongs == []
    finally:
        context.close()


def _note_foreign(visitor: Visitor, request: Request) -> None:
    if not request.url.startswith((visitor.server.url, "blob:", "data:")):
        visitor.wrongs.append(f"asked for {request.url}")


def _note_console(visitor: Visitor, message: ConsoleMessage) -> None:
    if message.type == "error" and not any(noise in message.text for noise in visitor.noise):
        visitor.wrongs.append(f"console: {message.text}")


@pytest.fixture
def visitor(browser: Browser, shared_server: RunningServer) -> Iterator[Visitor]:
    """Somebody in English on a wide screen, not logged in."""
    with visiting(browser, shared_server) as found:
        yield found


@pytest.fixture
def chinese_visitor(browser: Browser, shared_server: RunningServer) -> Iterator[Visitor]:
    """Somebody whose browser asks for Chinese, not logged in."""
    with visiting(browser, shared_server, locale="zh-CN") as found:
        yield found


@pytest.fixture
def inside(browser: Browser, shared_server: RunningServer) -> Iterator[Visitor]:
    """Somebody who is logged in."""
    with visiting(browser, shared_server) as visitor:
        visitor.enter()
        yield visitor

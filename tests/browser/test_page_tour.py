"""Every page and every dialog as people meet them: wide, narrow and on a phone, light and dark, in both languages.

Each stop is judged by axe (WCAG 2.2 AA) and fits its screen. ``make looks`` leaves a picture of each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser

from support.browser import Visitor, visiting
from support.programs import RunningServer
from support.scene import Scene
from support.stops import BAD_DAY, FIRST_DAY, ON_A_PHONE, STOPS, Stops, put_back
from support.troubles import Troubles
from support.words import Words

PHONE = 360
BETWEEN = 1024
"""Has nothing that wide screens and phones lack but the room, so that axe need not look again."""
ALL_PICTURES = bool(os.environ.get("PLUMBER_LOOKS"))
MAIN = ("login", "home", "task", "builder", "execution", "execution-log", "fleet", "first-home")
"""Those whose pictures every run leaves."""
BEYOND = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass(frozen=True)
class Look:
    """How somebody looks at the page. Four or six of the twelve: each pair of choices is met once."""

    width: int
    theme: str
    language: str

    def __str__(self) -> str:
        return f"{self.width}-{self.theme}-{self.language}"


LOOKS = [
    Look(1440, "light", "en"),
    Look(1440, "dark", "zh-CN"),
    Look(PHONE, "dark", "en"),
    Look(PHONE, "light", "zh-CN"),
]
if ALL_PICTURES:
    LOOKS += [Look(BETWEEN, "light", "zh-CN"), Look(BETWEEN, "dark", "en")]


@pytest.fixture
def days(scene: Scene, empty_server: RunningServer, troubled: Troubles) -> Iterator[list[tuple[RunningServer, Stops]]]:
    """The servers, each with where to stop on it."""
    yield [(empty_server, FIRST_DAY), (troubled.server, BAD_DAY), (scene.server, STOPS)]
    put_back(scene)


@pytest.mark.long
@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_every_page_and_dialog_is_fit_to_be_seen(
    browser: Browser, days: list[tuple[RunningServer, Stops]], scene: Scene, look: Look
) -> None:
    wrongs: dict[str, list[str]] = {}
    for server, stops in days:
        size = {"width": look.width, "height": 900}
        with visiting(browser, server, locale=look.language, color_scheme=look.theme, viewport=size) as visitor:
            visitor.open("/")
            visitor.settle()
            wrongs |= _judged(visitor, "login", look)
            visitor.enter()
            for name, (path, act) in (stops | ON_A_PHONE if look.width == PHONE else stops).items():
                visitor.open(path.format(**scene.executions))
                visitor.settle()
                if act:
                    act(visitor, Words(look.language))
                    visitor.settle()
                wrongs |= _judged(visitor, name, look)
    assert wrongs == {}


def _judged(visitor: Visitor, stop: str, look: Look) -> dict[str, list[str]]:
    """Return what is wrong with what is seen now, by its name; nothing when all is well."""
    name = f"{stop}-{look}"
    if ALL_PICTURES or stop in MAIN:
        visitor.screenshot(name)
    wrongs = visitor.violations() if look.width != BETWEEN else []
    beyond = int(visitor.page.evaluate(BEYOND))
    if beyond > 0:
        wrongs.append(f"wider than the screen by {beyond} px")
    return {name: wrongs} if wrongs else {}

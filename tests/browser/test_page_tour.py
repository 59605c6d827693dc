"""Every page and every dialog as people meet them: wide, narrow and on a phone, light and dark, in both languages.

Each stop is judged by axe (WCAG 2.2 AA) and fits its screen. ``make looks`` leaves a picture of each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from playwright.sync_api import Browser

from support.browser import COLOURS, RULES, Theme, Visitor, visiting
from support.programs import RunningServer
from support.scene import Scene
from support.stops import BAD_DAY, FIRST_DAY, ON_A_PHONE, STOPS, Stops, put_back
from support.troubles import Troubles
from support.words import Words

PHONE, BETWEEN, WIDE = 360, 1024, 1440
"""Between has nothing that wide screens and phones lack but the room, so that axe need not look there again."""
ALL_PICTURES = bool(os.environ.get("PLUMBER_LOOKS"))
MAIN = ("login", "home", "task", "builder", "execution", "execution-log", "fleet", "first-home")
"""Those whose pictures every run leaves."""
BEYOND = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# As the button of the frame does, which a dialog covers.
SPEAK = """language => {
  const { $pinia } = document.querySelector('#app').__vue_app__.config.globalProperties
  return $pinia._s.get('preferences').choose(language)
}"""


@dataclass(frozen=True)
class Look:
    """How somebody comes to each stop, where they then turn to the other theme and the other language."""

    width: int
    theme: Theme
    language: str

    def __str__(self) -> str:
        return f"{self.width}-{self.theme}-{self.language}"


LOOKS = [Look(WIDE, "light", "en"), Look(PHONE, "dark", "zh-CN")]
if ALL_PICTURES:
    LOOKS += [Look(BETWEEN, "light", "zh-CN")]


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
            visitor.open("/")
            for name, (path, act) in (stops | ON_A_PHONE if look.width == PHONE else stops).items():
                visitor.go(path.format(**scene.executions))
                visitor.settle()
                if act:
                    act(visitor, Words(look.language))
                    visitor.settle()
                wrongs |= _judged(visitor, name, look)
    assert wrongs == {}


def _judged(visitor: Visitor, stop: str, look: Look) -> dict[str, list[str]]:
    """Return what is wrong with what is seen now, by how it is looked at; nothing when all is well."""
    wrongs: dict[str, list[str]] = {}
    for view, rules in _views(look):
        visitor.page.evaluate(SPEAK, view.language)
        visitor.choose_theme(view.theme)
        if ALL_PICTURES or stop in MAIN:
            visitor.screenshot(f"{stop}-{view}")
        found = visitor.violations(rules) if rules and look.width != BETWEEN else []
        beyond = int(visitor.page.evaluate(BEYOND))
        found += [f"wider than the screen by {beyond} px"] if beyond > 0 else []
        wrongs |= {f"{stop}-{view}": found} if found else {}
    visitor.page.evaluate(SPEAK, look.language)
    visitor.choose_theme(look.theme)
    return wrongs


def _views(look: Look) -> list[tuple[Look, dict[str, Any]]]:
    """Return how a stop is looked at, each with the rules that the ones before it have not answered already.

    Rules that have nothing to do with colours are the same in both themes, all but the room in both languages.
    """
    theme: Theme = "dark" if look.theme == "light" else "light"
    language = "en" if look.language == "zh-CN" else "zh-CN"
    other = [(replace(look, language=language, theme=theme), {})] if ALL_PICTURES else []
    return [(look, RULES), (replace(look, theme=theme), COLOURS), (replace(look, language=language), {}), *other]

"""Somebody who has a keyboard and no mouse: everything is reached by keys, and what has the focus can be seen."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

MOST_STOPS = 200
# What a person sees of the focus: an outline or a ring.
SEEN = """element => {
  const look = getComputedStyle(element)
  const outlined = look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) > 0
  return element.matches(':focus-visible') && (outlined || look.boxShadow !== 'none')
}"""


class Hands:
    """Keys on one page."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def press(self, *keys: str) -> None:
        """Press keys one after another."""
        for key in keys:
            self._page.keyboard.press(key)

    def to(self, wanted: Locator) -> None:
        """Go on with Tab until ``wanted`` has the focus, and see that it shows.

        Raises: AssertionError (it cannot be reached, or nobody would see the focus there).
        """
        wanted.wait_for()
        for _ in range(MOST_STOPS):
            if wanted.evaluate("element => element === document.activeElement"):
                assert wanted.evaluate(SEEN), f"the focus cannot be seen on {wanted}"
                return
            self._page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {wanted}")

    def activate(self, wanted: Locator) -> None:
        """Go there and press Enter."""
        self.to(wanted)
        self.press("Enter")

    def write(self, wanted: Locator, text: str) -> None:
        """Go to a field and write ``text`` instead of what it holds."""
        self.to(wanted)
        self.press("Control+a")
        self._page.keyboard.type(text)

"""The pages of the documentation, as blocks of code with what the page says about running them.

A comment directly above a block says how: ``<!-- not run: REASON -->``, ``<!-- background until: TEXT -->`` for
programs that go on, ``<!-- needs: PROGRAM -->``, ``<!-- prints -->`` for what the Python block above it prints, and
``<!-- refused: CODE, CODE -->`` for a task with these problems. A second word behind the language names the file that
the block is saved as. ``<!-- with: server -->`` anywhere gives the page a server with the agents web-1 and web-2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
ELSEWHERE = {
    "docs/how-to/write-an-executor.md": "tests/unit/test_plugins_docs.py",
    "docs/reference/hooks.md": "tests/unit/test_plugins_docs.py",
    "docs/reference/hooks.zh-CN.md": "tests/unit/test_plugins_docs.py",
}
"""Pages whose blocks another test runs."""
_BLOCK = re.compile(r"(?m)^(?:<!-- (?P<how>[^\n]+?) -->\n)?```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.DOTALL)
_SERVER = "<!-- with: server -->"


@dataclass(frozen=True)
class Block:
    """``how`` and ``about`` are the two halves of the comment above it; empty without one."""

    line: int
    language: str
    text: str
    file: str = ""
    how: str = ""
    about: str = ""


@dataclass(frozen=True)
class Page:
    """``name`` is its path in the repository."""

    name: str
    text: str = field(repr=False)

    @property
    def blocks(self) -> list[Block]:
        return [self._block(match) for match in _BLOCK.finditer(self.text)]

    @property
    def wants_server(self) -> bool:
        return _SERVER in self.text

    def _block(self, match: re.Match[str]) -> Block:
        language, _, file = match["info"].strip().partition(" ")
        how, _, about = (match["how"] or "").partition(":")
        line = self.text.count("\n", 0, match.start("info")) + 1
        return Block(line, language, match["text"], file.strip(), how.strip(), about.strip())


def pages() -> list[Page]:
    """Return every page of the documentation, in order of names."""
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return [Page(str(file.relative_to(ROOT)), file.read_text()) for file in sorted(files)]


def twin(page: Page) -> Page | None:
    """Return the English page of a Chinese one."""
    english = ROOT / page.name.replace(".zh-CN.md", ".md")
    if not page.name.endswith(".zh-CN.md"):
        return None
    return Page(str(english.relative_to(ROOT)), english.read_text())

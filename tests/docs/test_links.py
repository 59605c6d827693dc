"""Every link of the documentation leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.pages import ROOT, Page, pages

_CODE = re.compile(r"(?ms)^```.*?^```$|`[^`\n]*`")
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"(?m)^#+ (.+)$")
_WRITTEN_BY_BENCH = {"docs/reference/performance.md"}
"""Pages that exist once the benchmarks have been run."""


def slug(heading: str) -> str:
    """Return a heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(file: Path) -> set[str]:
    return {slug(heading) for heading in _HEADING.findall(re.sub(r"(?ms)^```.*?^```$", "", file.read_text()))}


def broken(page: Page) -> list[str]:
    """Return the links of a page that lead nowhere."""
    here = ROOT / page.name
    found = []
    for link in _LINK.findall(_CODE.sub("", page.text)):
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        file = (here.parent / path).resolve() if path else here
        if not file.exists():
            found += [link] if str(file.relative_to(ROOT)) not in _WRITTEN_BY_BENCH else []
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            found.append(link)
    return found


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in pages()])
def test_links_lead_somewhere(page: Page) -> None:
    assert broken(page) == []


def test_every_page_is_linked_from_another() -> None:
    linked = {
        str((ROOT / page.name).parent.joinpath(link.partition("#")[0]).resolve().relative_to(ROOT))
        for page in pages()
        for link in _LINK.findall(_CODE.sub("", page.text))
        if "://" not in link
    }
    assert [page.name for page in pages() if page.name not in linked | {"README.md"}] == []


def test_a_broken_link_is_found() -> None:
    assert broken(Page("README.md", "[a](docs/nowhere.md) [b](#nothing) [c](LICENSE)")) == [
        "docs/nowhere.md",
        "#nothing",
    ]

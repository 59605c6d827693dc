"""Lists that are longer than one page of the API."""

from __future__ import annotations

import pytest

from plumber_client.commands.paging import ALL, first
from plumber_core.model.limits import MAX_PAGE
from plumber_core.model.views import Page, TokenInfo
from support.scripted_plane import START

STORED = [TokenInfo(id=str(number), name="n", created_at=START) for number in range(1200)]


@pytest.mark.parametrize(
    ("limit", "sizes", "more"),
    [
        (20, [20], True),
        (500, [500], True),
        (1001, [500, 500, 1], True),
        (1200, [500, 500, 200], False),
        (ALL, [500] * 3, False),
    ],
)
async def test_as_many_as_were_asked_for_come_page_by_page(limit: int, sizes: list[int], more: bool) -> None:
    asked: list[int] = []

    async def read(size: int, cursor: str | None) -> Page[TokenInfo]:
        assert 1 <= size <= MAX_PAGE
        asked.append(size)
        begin = int(cursor or 0)
        end = begin + size
        return Page(items=STORED[begin:end], next=str(end) if end < len(STORED) else None)

    page = await first(limit, read)
    assert page.items == STORED[:limit]
    assert (asked, page.next is not None) == (sizes, more)

"""Lists of any length, read a page at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel

from plumber_core.model.limits import MAX_PAGE
from plumber_core.model.views import Page

Item = TypeVar("Item", bound=BaseModel)
ALL = 1_000_000
"""More than anybody has."""


async def first(limit: int, read: Callable[[int, str | None], Awaitable[Page[Item]]]) -> Page[Item]:
    """Return the first ``limit`` items as one page; ``read`` is called with a page's size and its cursor."""
    page = await read(min(limit, MAX_PAGE), None)
    items = page.items
    while page.next is not None and len(items) < limit:
        page = await read(min(limit - len(items), MAX_PAGE), page.next)
        items = [*items, *page.items]
    return page.model_copy(update={"items": items})

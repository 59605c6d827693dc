"""How conformance tests drive async objects: each test has an event loop of its own and opens what it tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from plumber_core.plugins.catalogue import HookContract
from plumber_core.plugins.checks import object_problem
from plumber_core.plugins.contracts.base import PluginObject

T = TypeVar("T")
TIMEOUT = 60.0


def opened(item: PluginObject, work: Callable[[], Awaitable[T]]) -> T:
    """Open the object, do the work, close the object; return what the work returned."""

    async def whole() -> T:
        await item.open()
        try:
            async with asyncio.timeout(TIMEOUT):
                return await work()
        finally:
            await item.close()

    return asyncio.run(whole())


def assert_contract(item: object, contract: HookContract[Any]) -> None:
    """Fail with the sentence that Plumber would refuse to start with."""
    assert object_problem(item, contract) is None


def override(name: str) -> Any:
    """Fail a test whose class lacks a fixture."""
    pytest.fail(f"override the fixture {name!r} in your test class")

"""Long tests begin first, one on each worker: whoever got several of them last would keep all others waiting."""

from __future__ import annotations

from typing import TypeVar

import pytest

Item = TypeVar("Item")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes so long that it had better not begin last")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread tests that are marked ``long`` evenly: workers begin with equal parts of the list, front to back."""
    long = [item for item in items if item.get_closest_marker("long")]
    others = [item for item in items if not item.get_closest_marker("long")]
    items[:] = spread(long, others)


def spread(long: list[Item], others: list[Item]) -> list[Item]:
    """Return all, with the long ones at equal distances, the first at the front."""
    distance = len(others) // len(long) if long else 0
    for number, item in enumerate(long):
        others.insert(number * (distance + 1), item)
    return others

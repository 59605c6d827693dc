"""Plumber in a test suite: run it with pytest, which needs pytest-asyncio with asyncio_mode = auto."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from plumber_core import Plumber, Task


@pytest.fixture
async def plumber(tmp_path: Path) -> AsyncIterator[Plumber]:
    """A control plane of its own for each test, with an agent on this machine."""
    async with Plumber(f"sqlite:///{tmp_path}/plumber.db", state_dir=tmp_path / "agent") as opened:
        yield opened


def backup(folder: Path) -> Task:
    """What is tested: a task that the program makes."""
    return Task.model_validate(
        {"name": "backup", "on": "local", "path": str(folder), "steps": [{"name": "dump", "run": "echo 1 > shop.sql"}]}
    )


async def test_the_backup_is_there(plumber: Plumber, tmp_path: Path) -> None:
    execution = await plumber.run(backup(tmp_path))
    assert execution.state == "succeeded"
    assert (tmp_path / "shop.sql").read_text() == "1\n"


async def test_a_backup_that_cannot_be_written_fails_and_says_why(plumber: Plumber, tmp_path: Path) -> None:
    execution = await plumber.run(backup(tmp_path / "missing"))
    assert execution.state == "failed"
    assert execution.steps[0].attempts[0].error == "path_missing"

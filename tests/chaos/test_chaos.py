"""A small chaos: the same world, killer and checker as ``make chaos``, for as long as a test may take."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from chaos import plan
from chaos.run import planned, run
from chaos.world import opened

STEPS, SEED, BLOWS = 400, 11, 8


@pytest.mark.long
@pytest.mark.row(38, 41, 42)
@pytest.mark.quick
def test_hundreds_of_steps_keep_every_promise_under_a_killer_of_everything() -> None:
    with tempfile.TemporaryDirectory(prefix="plumber-chaos-") as folder, opened(Path(folder)) as world:
        history, figures = run(world, planned(SEED, STEPS), STEPS, SEED, least_blows=BLOWS)
    assert figures["violations"] == []
    assert len(history.steps) >= STEPS
    assert figures["blows"]["failover"] == 1
    assert sum(figures["blows"].values()) >= BLOWS


def test_the_same_seed_draws_the_same_plan_and_a_kept_plan_is_read_back(tmp_path: Path) -> None:
    blows = planned(7, 1000)
    assert blows == planned(7, 1000) != planned(8, 1000)
    plan.write(tmp_path / "plan.jsonl", blows)
    assert plan.read(tmp_path / "plan.jsonl") == blows

"""How many hosts of a batch may fail."""

from __future__ import annotations

from plumber_core.model.plan import Stage
from plumber_core.model.records import Progress

MANY = 2**40


def most_failed(stage: Stage, carried: int) -> int:
    """Return how many lanes of a stage may fail when ``carried`` hosts of its rollout have failed before."""
    batch = stage.batch
    if batch is None or batch.gate:
        return 0
    in_batch = MANY if batch.most_failed is None else batch.most_failed
    in_all = MANY if batch.most_in_all is None else batch.most_in_all - carried
    return max(0, min(in_batch, in_all))


def failures_before(stage: Stage, progress: Progress) -> int:
    """Return how many hosts of a rollout have failed up to the end of a stage."""
    batch = stage.batch
    if batch is None:
        return 0
    return progress.carried + (0 if batch.gate else progress.failed)

"""How many hosts of a batch may fail."""

from __future__ import annotations

from plumber_core.model.offline import needed
from plumber_core.model.plan import Plan, Stage
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


def most_missed(plan: Plan, stage: Stage) -> int:
    """Return how many hosts of a step, or of a whole block, may be left out because they are offline."""
    if plan.offline is None or not plan.offline.tolerated or (stage.batch is not None and stage.batch.gate):
        return MANY
    hosts = plan.host_count(stage.chain[0])
    return hosts - needed(plan.offline, hosts)

"""Hosts that are offline: who is left out of an execution, and whether enough are left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from plumber_core.errors import TooFewHosts
from plumber_core.model.offline import needed
from plumber_core.model.plan import Plan
from plumber_core.planning.advance import Advance, Short


def left_for(plan: Plan, move: Advance, lane: int, lanes: Iterable[int]) -> frozenset[int]:
    """Return in which of ``lanes`` a stage may begin of which a move is ``unsure``.

    Its steps there have not ended as far as the database knows, which does not know yet what the move does to the host
    of ``lane``: a gate is not asked where its batch has just failed, and who was not there is out for good.
    """
    assert move.unsure is not None
    stage, host = plan.stages[move.unsure], plan.stages[move.stage].host(lane)
    gate = stage.batch is not None and stage.batch.follows_hosts
    leaves = move.missed or (move.failed and gate)
    return frozenset(one for one in lanes if not (leaves and stage.host(one) == host))


def too_few(plan: Plan, short: Short) -> dict[str, Any]:
    """Return the problem of an execution that has to end because too many hosts were offline."""
    assert plan.offline is not None
    stage = plan.stages[short.stage]
    hosts = plan.host_count(stage.chain[0])
    what = stage.batch.block if stage.batch is not None else plan.steps[stage.chain[0]].name
    there = {"there": max(0, hosts - short.missed), "hosts": hosts, "needed": needed(plan.offline, hosts)}
    return {"code": TooFewHosts.code, "arguments": {"step": what, **there}}

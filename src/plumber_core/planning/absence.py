"""Hosts that are offline: who is left out of an execution, and whether enough are left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumber_core.errors import TooFewHosts
from plumber_core.model.offline import needed
from plumber_core.model.plan import Plan
from plumber_core.planning.advance import Advance, Left, Short, gate_behind


def left_for(plan: Plan, move: Advance, lane: int | None, lanes: Mapping[int, int]) -> Left:
    """Return what is left of ``lanes``, each with the step it goes on with, of a stage of which a move is ``unsure``.

    Its steps there have not ended as far as the database knows, which does not know yet what the move does to the host
    of ``lane``: the gate of its batch is not asked where that has just failed, and who was not there is out for good.
    """
    assert move.unsure is not None
    stage = plan.stages[move.unsure]
    leaves = move.missed or (move.failed and move.unsure == gate_behind(plan, move.stage))
    host = plan.stages[move.stage].host(lane) if leaves and lane is not None else None
    here = {one: step for one, step in lanes.items() if stage.host(one) != host}
    counts = plan.may_leave_out and not (stage.batch is not None and stage.batch.gate)
    return Left(here, missed=len(stage.hosts) - len(here) if counts else 0)


def too_few(plan: Plan, short: Short) -> dict[str, Any]:
    """Return the problem of an execution that has to end because too many hosts were offline."""
    assert plan.offline is not None
    stage = plan.stages[short.stage]
    hosts = plan.host_count(stage.chain[0])
    what = stage.batch.block if stage.batch is not None else plan.steps[stage.chain[0]].name
    there = {"there": max(0, hosts - short.missed), "hosts": hosts, "needed": needed(plan.offline, hosts)}
    return {"code": TooFewHosts.code, "arguments": {"step": what, **there}}

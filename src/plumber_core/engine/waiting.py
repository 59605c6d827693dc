"""Why a step that is ready is not started: a code with arguments, from what is known of its agent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from plumber_core.engine.clock import moment
from plumber_core.engine.core import Engine
from plumber_core.engine.presence import presence
from plumber_core.engine.refusals import FACT
from plumber_core.model.asked import NEVER
from plumber_core.model.holds import HoldLook
from plumber_core.model.plan import Absence
from plumber_core.model.records import AgentRow, ExecutionRow, StepRow
from plumber_core.model.states import AgentState, ExecutionState, Presence, StepState
from plumber_core.protocol.messages import REFUSALS

Reason = dict[str, Any]


class AgentLook(NamedTuple):
    """An agent that something waits for. ``connected`` is False when no server holds it, None when another may."""

    row: AgentRow
    presence: Presence
    connected: bool | None

    @property
    def away(self) -> bool:
        """Whether nobody is there who could take a step."""
        return self.connected is False or (self.connected is None and self.presence is not Presence.ONLINE)


Agents = Mapping[str, AgentLook]


async def look_at_agents(engine: Engine, steps: Iterable[StepRow]) -> dict[str, AgentLook]:
    """Return the agents for which one of these steps waits."""
    waiting = {step.agent_id for step in steps if step.state is StepState.READY and step.pool is None}
    if not waiting:
        return {}
    rows, now = await engine.store.find_agents(waiting)
    return {
        row.id: AgentLook(row, presence(row.last_seen_at, now, engine.heartbeat), _held(engine, row)) for row in rows
    }


def _held(engine: Engine, row: AgentRow) -> bool | None:
    if engine.connections.get(row.id) is not None:
        return True
    return None if engine.wakeups.others or row.original else False


Holds = Mapping[str, Sequence[HoldLook]]
"""Execution, or step execution -> what it waits for."""


async def look_at_holds(engine: Engine, steps: Iterable[StepRow], queued: str | None = None) -> Holds:
    """Return what these steps, and perhaps a ``queued`` execution, wait to hold."""
    holders = {step.id for step in steps if step.state is StepState.READY and step.ready_at == NEVER}
    holders |= set() if queued is None else {queued}
    return await engine.store.holds(holders) if holders else {}


def queued_one(execution: ExecutionRow) -> str | None:
    """Return the id of an execution that is queued."""
    return execution.id if execution.state is ExecutionState.QUEUED else None


def why_held(looks: Sequence[HoldLook]) -> Reason | None:
    """Return for what somebody waits: his turn in a queue, or a lock and who holds it."""
    look = next((one for one in looks if one.holders), looks[0] if looks else None)
    if look is None:
        return None
    place: Reason = {"position": look.position, **({"key": look.label} if look.queue else {"lock": look.label})}
    if not look.holders:
        return {"code": "queue_next" if look.queue else "lock_next", **place}
    first = look.holders[0]
    who = {"execution": first.execution, "task": first.task, "by": first.by}
    if look.queue:
        return {"code": "queue_turn", **place, **who, "limit": look.most}
    if first.step is None:
        return {"code": "lock_run", **place, **who}
    return {"code": "lock_step", **place, **who, "step": first.step, "host": first.host}


def why_paused(execution: ExecutionRow) -> Reason | None:
    """Return by whom an execution is paused and why, or which failure it was; None for one that is not."""
    if execution.state is not ExecutionState.PAUSED or execution.paused_at is None:
        return None
    return {"code": "paused", **(execution.pause or {}), "since": moment(execution.paused_at).isoformat()}


def why_ready(step: StepRow, agents: Agents, offline: Absence | None) -> Reason:
    """Return why a ready step is not started by the one agent that may."""
    look = agents.get(step.agent_id)
    if look is None:
        return {"code": "agent_gone"}
    row = look.row
    who = {"agent": row.name, "agent_id": row.id}
    since = None if row.last_seen_at is None else moment(row.last_seen_at).isoformat()
    if step.awaits:
        return {"code": step.awaits, "since": since}
    if row.state is not AgentState.ACTIVE:
        return {"code": f"agent_{row.state}", **who}
    if row.conflict:
        return {"code": "agent_conflict", **who}
    if look.away:
        return _offline(step, row, offline, {**who, "since": since})
    if reason := row.facts.get(FACT):
        return {"code": f"agent_{reason}" if reason in REFUSALS else "agent_refuses", **who, "reason": reason}
    if row.running >= row.slots:
        return {"code": "no_free_slot", **who, "running": row.running, "slots": row.slots}
    return {"code": "agent_takes", **who}


def _offline(step: StepRow, row: AgentRow, offline: Absence | None, told: Reason) -> Reason:
    """The agent is away: since when, and until when it is waited for."""
    code = "agent_offline" if row.last_seen_at is not None else "agent_never"
    if offline is None or offline.policy != "queue" or step.ready_at is None:
        return {"code": code, **told}
    from_then = moment(max(step.ready_at, row.last_seen_at or 0))
    until = from_then + timedelta(seconds=offline.patience)
    return {"code": f"{code}_until", **told, "until": until.isoformat()}

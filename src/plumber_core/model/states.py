"""The life of a step execution, an execution and an agent: THE transition tables.

The engine, the SQL guards, the tests and the docs' pictures all come from these tables; nothing else knows an
edge. Source of the rules: docs/explanation/states.md.
"""

from __future__ import annotations

from enum import StrEnum


class StepState(StrEnum):
    """Where one step on one host stands."""

    BLOCKED = "blocked"
    READY = "ready"
    CLAIMED = "claimed"
    RUNNING = "running"
    CANCELLING = "cancelling"
    UNREACHABLE = "unreachable"
    RETRY_WAIT = "retry_wait"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SKIPPED = "skipped"
    LOST = "lost"


class ExecutionState(StrEnum):
    """Where one run of a task stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AgentState(StrEnum):
    """What was decreed for an agent; whether it is heard from is ``Presence``."""

    ACTIVE = "active"
    DRAINING = "draining"
    DISABLED = "disabled"
    REVOKED = "revoked"


class Presence(StrEnum):
    """Derived from the time an agent was last heard, never stored."""

    ONLINE = "online"
    LATE = "late"
    OFFLINE = "offline"


class Actor(StrEnum):
    """Who may move a step along an edge."""

    SERVER = "server"
    AGENT = "agent"
    USER = "user"
    REAPER = "reaper"


_S = StepState

TERMINAL_STEP_STATES = frozenset(
    {_S.SUCCEEDED, _S.FAILED, _S.TIMED_OUT, _S.CANCELLED, _S.REJECTED, _S.EXPIRED, _S.SKIPPED, _S.LOST}
)
LIVE_STEP_STATES = frozenset({_S.CLAIMED, _S.RUNNING, _S.CANCELLING, _S.UNREACHABLE})
"""States in which an agent may hold the attempt: they take a slot."""
WAITING_STEP_STATES = frozenset({_S.BLOCKED, _S.READY, _S.RETRY_WAIT})
"""States in which nothing was handed out."""

_SERVER, _AGENT, _USER, _REAPER = Actor.SERVER, Actor.AGENT, Actor.USER, Actor.REAPER
_REPORTS = (_S.SUCCEEDED, _S.FAILED, _S.TIMED_OUT)


def _edges() -> dict[tuple[StepState, StepState], frozenset[Actor]]:
    edges: dict[tuple[StepState, StepState], set[Actor]] = {}

    def allow(sources: tuple[StepState, ...], targets: tuple[StepState, ...], *actors: Actor) -> None:
        for source in sources:
            for target in targets:
                edges.setdefault((source, target), set()).update(actors)

    allow((_S.BLOCKED,), (_S.READY, _S.RUNNING, _S.SKIPPED), _SERVER)
    allow((_S.BLOCKED, _S.READY, _S.CLAIMED, _S.RETRY_WAIT), (_S.CANCELLED,), _USER, _SERVER)
    allow((_S.READY,), (_S.CLAIMED,), _AGENT)
    allow((_S.READY,), (_S.RUNNING,), _SERVER)
    allow((_S.READY,), (_S.EXPIRED,), _REAPER)
    allow((_S.CLAIMED,), (_S.READY,), _REAPER, _AGENT)
    allow((_S.CLAIMED,), (_S.RUNNING, _S.REJECTED), _AGENT)
    allow((_S.RUNNING, _S.CANCELLING, _S.UNREACHABLE), _REPORTS, _AGENT)
    allow((_S.RUNNING,), (_S.CANCELLING,), _USER, _SERVER)
    allow((_S.CANCELLING, _S.UNREACHABLE), (_S.CANCELLED,), _AGENT)
    allow((_S.RUNNING, _S.CANCELLING), (_S.UNREACHABLE,), _REAPER)
    allow((_S.UNREACHABLE,), (_S.RUNNING, _S.CANCELLING), _AGENT)
    allow((_S.RUNNING, _S.UNREACHABLE), (_S.READY,), _AGENT)
    allow((_S.RUNNING, _S.CANCELLING, _S.UNREACHABLE), (_S.LOST,), _AGENT, _REAPER, _USER)
    allow((_S.FAILED, _S.TIMED_OUT, _S.LOST), (_S.RETRY_WAIT,), _SERVER)
    allow((_S.RETRY_WAIT,), (_S.READY,), _REAPER)
    return {edge: frozenset(actors) for edge, actors in edges.items()}


STEP_EDGES = _edges()
"""(from, to) -> the actors that may take this edge. FAILED/TIMED_OUT/LOST -> RETRY_WAIT happens inside the
transaction that records the outcome, so nobody ever sees such a step as ended."""

_X = ExecutionState
EXECUTION_EDGES = frozenset(
    {
        (_X.QUEUED, _X.RUNNING),
        (_X.QUEUED, _X.CANCELLED),
        (_X.RUNNING, _X.PAUSED),
        (_X.PAUSED, _X.RUNNING),
        (_X.RUNNING, _X.SUCCEEDED),
        (_X.RUNNING, _X.FAILED),
        (_X.RUNNING, _X.CANCELLED),
        (_X.PAUSED, _X.FAILED),
        (_X.PAUSED, _X.CANCELLED),
        (_X.FAILED, _X.RUNNING),
        (_X.CANCELLED, _X.RUNNING),
    }
)
TERMINAL_EXECUTION_STATES = frozenset({_X.SUCCEEDED, _X.FAILED, _X.CANCELLED})

_A = AgentState
AGENT_EDGES = frozenset(
    {
        (_A.ACTIVE, _A.DRAINING),
        (_A.ACTIVE, _A.DISABLED),
        (_A.DRAINING, _A.ACTIVE),
        (_A.DRAINING, _A.DISABLED),
        (_A.DISABLED, _A.ACTIVE),
        (_A.ACTIVE, _A.REVOKED),
        (_A.DRAINING, _A.REVOKED),
        (_A.DISABLED, _A.REVOKED),
    }
)


def step_sources(target: StepState, actor: Actor) -> frozenset[StepState]:
    """Return the states from which ``actor`` may move a step to ``target``: the guard of an SQL update."""
    return frozenset(source for (source, goal), actors in STEP_EDGES.items() if goal == target and actor in actors)


def may_step(source: StepState, target: StepState, actor: Actor) -> bool:
    """Say whether ``actor`` may move a step from ``source`` to ``target``."""
    return actor in STEP_EDGES.get((source, target), frozenset())

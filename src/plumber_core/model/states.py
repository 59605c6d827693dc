"""The life of a step execution, an execution and an agent: THE transition tables.

The engine, the SQL guards, the tests and the docs' pictures all come from these tables; nothing else knows an
edge. Source of the rules: docs/explanation/states.md.
"""

from __future__ import annotations

from dataclasses import dataclass
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


class StepEvent(StrEnum):
    """What may happen to a step."""

    UNBLOCK = "unblock"
    BIND = "bind"
    SKIP = "skip"
    CANCEL = "cancel"
    CLAIM = "claim"
    GIVE_BACK = "give_back"
    START = "start"
    REJECT = "reject"
    EXPIRE = "expire"
    SUCCEED = "succeed"
    FAIL = "fail"
    TIME_OUT = "time_out"
    STOP = "stop"
    SILENCE = "silence"
    HEAR = "hear"
    NEVER_RAN = "never_ran"
    LOSE = "lose"
    RETRY = "retry"
    WAKE = "wake"


@dataclass(frozen=True, slots=True)
class Move:
    """From where an event leads to where.

    ``cancelled`` asks for a step whose cancel was, or was not, asked for; None takes both.
    """

    sources: frozenset[StepState]
    target: StepState
    cancelled: bool | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Everything about one event: who may cause it, whether it must name the current attempt, and its moves."""

    actors: frozenset[Actor]
    moves: tuple[Move, ...]
    fenced: bool = False


_SERVER, _AGENT, _USER, _REAPER = Actor.SERVER, Actor.AGENT, Actor.USER, Actor.REAPER
_RAN = (_S.RUNNING, _S.CANCELLING, _S.UNREACHABLE)


def _move(*sources: StepState, to: StepState, cancelled: bool | None = None) -> Move:
    return Move(frozenset(sources), to, cancelled)


def _rule(actors: tuple[Actor, ...], *moves: Move, fenced: bool = False) -> Rule:
    return Rule(frozenset(actors), moves, fenced)


STEP_RULES: dict[StepEvent, Rule] = {
    StepEvent.UNBLOCK: _rule((_SERVER,), _move(_S.BLOCKED, to=_S.READY)),
    StepEvent.BIND: _rule((_SERVER,), _move(_S.BLOCKED, _S.READY, to=_S.RUNNING)),
    StepEvent.SKIP: _rule((_SERVER,), _move(_S.BLOCKED, _S.READY, to=_S.SKIPPED)),
    StepEvent.CANCEL: _rule(
        (_USER, _SERVER),
        _move(_S.BLOCKED, _S.READY, _S.CLAIMED, _S.RETRY_WAIT, to=_S.CANCELLED),
        _move(_S.RUNNING, _S.CANCELLING, to=_S.CANCELLING),
        _move(_S.UNREACHABLE, to=_S.UNREACHABLE),
    ),
    StepEvent.CLAIM: _rule((_AGENT,), _move(_S.READY, to=_S.CLAIMED)),
    StepEvent.GIVE_BACK: _rule((_REAPER, _AGENT), _move(_S.CLAIMED, to=_S.READY), fenced=True),
    StepEvent.START: _rule((_AGENT,), _move(_S.CLAIMED, to=_S.RUNNING), fenced=True),
    StepEvent.REJECT: _rule((_AGENT,), _move(_S.CLAIMED, to=_S.REJECTED), fenced=True),
    StepEvent.EXPIRE: _rule((_REAPER,), _move(_S.READY, to=_S.EXPIRED)),
    StepEvent.SUCCEED: _rule((_AGENT,), _move(*_RAN, to=_S.SUCCEEDED), fenced=True),
    StepEvent.FAIL: _rule((_AGENT,), _move(*_RAN, to=_S.FAILED), fenced=True),
    StepEvent.TIME_OUT: _rule((_AGENT,), _move(*_RAN, to=_S.TIMED_OUT), fenced=True),
    StepEvent.STOP: _rule(
        (_AGENT,), _move(_S.CANCELLING, _S.UNREACHABLE, to=_S.CANCELLED, cancelled=True), fenced=True
    ),
    StepEvent.SILENCE: _rule((_REAPER,), _move(_S.RUNNING, _S.CANCELLING, to=_S.UNREACHABLE)),
    StepEvent.HEAR: _rule(
        (_AGENT,),
        _move(_S.UNREACHABLE, to=_S.RUNNING, cancelled=False),
        _move(_S.UNREACHABLE, to=_S.CANCELLING, cancelled=True),
        fenced=True,
    ),
    StepEvent.NEVER_RAN: _rule(
        (_AGENT,),
        _move(_S.RUNNING, _S.UNREACHABLE, to=_S.READY, cancelled=False),
        _move(_S.CANCELLING, _S.UNREACHABLE, to=_S.CANCELLED, cancelled=True),
        fenced=True,
    ),
    StepEvent.LOSE: _rule((_AGENT, _REAPER, _USER), _move(*_RAN, to=_S.LOST), fenced=True),
    StepEvent.RETRY: _rule(
        (_AGENT, _REAPER), _move(_S.RUNNING, _S.UNREACHABLE, to=_S.RETRY_WAIT, cancelled=False), fenced=True
    ),
    StepEvent.WAKE: _rule((_REAPER,), _move(_S.RETRY_WAIT, to=_S.READY)),
}
"""THE table. A retry is decided in the transaction that records the outcome, which belongs to the attempt: the step
goes from running to waiting and is never seen as ended, so that nothing ever leaves an ended state."""


def move_step(state: StepState, event: StepEvent, actor: Actor, *, current: bool, cancelled: bool) -> StepState | None:
    """Return the state that ``event`` leads to, or None when it is refused.

    Args:
        state: where the step stands.
        event: what happens.
        actor: who causes it.
        current: the attempt that is named is the step's current one.
        cancelled: its cancel was asked for.
    """
    rule = STEP_RULES[event]
    if actor not in rule.actors or (rule.fenced and not current):
        return None
    fitting = (move for move in rule.moves if state in move.sources and move.cancelled in (None, cancelled))
    return next((move.target for move in fitting), None)


def _edges() -> dict[tuple[StepState, StepState], frozenset[Actor]]:
    edges: dict[tuple[StepState, StepState], frozenset[Actor]] = {}
    for rule in STEP_RULES.values():
        for move in rule.moves:
            for source in move.sources - {move.target}:
                edges[source, move.target] = edges.get((source, move.target), frozenset()) | rule.actors
    return edges


ENDING_EVENTS = {
    _S.SUCCEEDED: StepEvent.SUCCEED,
    _S.FAILED: StepEvent.FAIL,
    _S.TIMED_OUT: StepEvent.TIME_OUT,
    _S.CANCELLED: StepEvent.STOP,
    _S.LOST: StepEvent.LOSE,
    _S.EXPIRED: StepEvent.EXPIRE,
    _S.SKIPPED: StepEvent.SKIP,
}
"""By which event a step that was ready or handed out ends in a state."""

STEP_EDGES = _edges()
"""(from, to) -> the actors that may take this edge."""

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


def may_step(source: StepState, target: StepState, actor: Actor) -> bool:
    """Say whether ``actor`` may move a step from ``source`` to ``target``."""
    return actor in STEP_EDGES.get((source, target), frozenset())

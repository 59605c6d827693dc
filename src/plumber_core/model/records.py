"""Rows as the engine sees them: what a store reads and writes. Times are microseconds since 1970 on the database's
clock; nothing else is ever compared with them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from plumber_core.model.asked import Asked
from plumber_core.model.leading import Presence as Presence
from plumber_core.model.leading import Standing as Standing
from plumber_core.model.leading import Term as Term
from plumber_core.model.parts import Outcome as Outcome
from plumber_core.model.plan import Plan
from plumber_core.model.stages import Opening as Opening
from plumber_core.model.stages import Progress as Progress
from plumber_core.model.stages import Told as Told
from plumber_core.model.starts import PASSED as PASSED
from plumber_core.model.starts import Claim as Claim
from plumber_core.model.starts import Passed as Passed
from plumber_core.model.starts import Start as Start
from plumber_core.model.states import Actor, AgentState, ExecutionState, StepEvent, StepState


@dataclass(frozen=True, slots=True)
class UserRow:
    id: str
    username: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """``kind`` is session, token, agent or enrolment; ``owner`` a user or an agent."""

    id: str
    kind: str
    owner: str
    name: str
    created_at: int
    expires_at: int | None = None
    last_used_at: int | None = None
    used_at: int | None = None
    data: dict[str, Any] = field(default_factory=dict)
    username: str = ""


@dataclass(frozen=True, slots=True)
class TaskRow:
    id: str
    name: str
    description: str
    revision: int
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class RevisionRow:
    task_id: str
    number: int
    format: str
    source: str
    definition: dict[str, Any]
    digest: str
    author: str
    note: str
    created_at: int


@dataclass(frozen=True, slots=True)
class AgentRow:
    """``session`` is the hash of the current session token, ``install`` names the state folder that was last greeted
    from, None where that is not known."""

    id: str
    name: str
    state: AgentState
    labels: dict[str, str]
    facts: dict[str, str]
    version: str
    slots: int
    executors: list[dict[str, Any]]
    created_at: int
    last_seen_at: int | None
    original: bool
    session: str | None = None
    previous_session: str | None = None
    session_used: bool = False
    session_epoch: int = 0
    incarnation: int = 0
    nonce: str | None = None
    conflict: bool = False
    running: int = 0
    awaited: bool = False
    """Its inventory of the database's present epoch is not in: until then it gets nothing."""
    strays: int = 0
    load: float | None = None
    memory: float | None = None
    install: str | None = None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A saved group; who changed it last, and when."""

    name: str
    expression: str
    description: str
    updated_by: str
    updated_at: int = 0


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    id: str
    task_id: str | None
    task: str
    revision: int | None
    state: ExecutionState
    requested_by: str
    reason: str
    created_at: int
    ended_at: int | None
    warnings: int
    cancel_requested: bool
    kill_requested: bool = False
    adopted: int = 0
    main_state: ExecutionState | None = None
    """How all but the steps that always run have ended; those run, or have run."""
    always_cancelled: bool = False
    problem: dict[str, Any] | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    round: int = 0
    """The highest of its steps' rounds."""
    resumed: int = 0
    """The round of the last resume: what it left as it was counts no more."""
    paused_at: int | None = None
    pause: dict[str, Any] | None = None
    """Why it is paused, as a code with arguments."""
    left_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which executions are looked for: of a task, in a state, ``search`` in their task's name, requested ``by``."""

    task_id: str | None = None
    state: ExecutionState | None = None
    search: str = ""
    by: str | None = None


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step execution with its current attempt."""

    id: str
    execution_id: str
    stage: int
    step: int
    lane: int
    agent_id: str
    round: int
    state: StepState
    attempt_id: str | None
    attempt_number: int
    spec: dict[str, Any] | None
    started_at: int | None
    ended_at: int | None
    cancel_requested: bool = False
    ready_at: int | None = None
    """Since when it could start; in ``retry_wait`` from when on."""
    retries: int = 0
    silent_since: int | None = None
    awaits: str = ""
    """Why its agent gets nothing although the step is ready: ``inventory``, ``vouch`` (of the original) or empty."""
    """When its agent was last heard; known in pictures."""
    kill_requested: bool = False
    """Of its execution; known where agents are told."""
    cause: dict[str, Any] | None = None
    """Why it ended without having been handed out."""
    pool: str | None = None
    """The agents of which any may run it; ``agent_id`` says who does, or stands for nobody (``ids.free_host``)."""
    by_hand: str | None = None
    """What a person has made of it without anybody running it: ``skip`` or ``done``."""


@dataclass(frozen=True, slots=True)
class AttemptRow:
    id: str
    step_execution_id: str
    execution_id: str
    agent_id: str
    number: int
    session: str
    beat: int
    boot_id: str
    epoch: int
    started_at: int
    ended_at: int | None
    state: str | None
    exit_code: int | None
    signal: int | None
    error: str | None
    detail: str
    duration: float | None
    outputs: dict[str, str]
    log_end: int
    log_total: int | None
    log_state: str
    outcome: dict[str, Any] | None
    late: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where reading a log begins: ``offset``, or the row that holds ``line``, or ``tail`` bytes before the end."""

    offset: int = 0
    line: int | None = None
    tail: int | None = None


@dataclass(frozen=True, slots=True)
class LogPiece:
    """Stored rows of a log from ``start`` on, with ``line`` newlines before them of ``lines`` so far.

    ``offset`` is the wanted place, somewhere in the first of them; for a line, the end of the row that begins it.
    """

    attempt: AttemptRow
    lines: int
    start: int
    line: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """An execution with everything in it, all of one moment; ``event`` is the newest event of that moment."""

    execution: ExecutionRow
    plan: Plan
    steps: list[StepRow]
    attempts: list[AttemptRow]
    event: str
    progress: list[Progress] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MatrixRows:
    """``cells`` are (step, agent, state, started, ended, exit code) in the order of steps, lanes, rounds; ``awaited``
    the agents that have ready steps and get nothing until their inventory is in."""

    execution: ExecutionRow
    plan: Plan
    cells: list[tuple[Any, ...]]
    event: str
    awaited: frozenset[str] = frozenset()
    progress: list[Progress] = field(default_factory=list)
    stages: dict[int, Counter[StepState]] = field(default_factory=dict)
    """How many steps of each stage are in which state, in a plan with rollouts."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """``cursor`` orders events as they became visible."""

    cursor: str
    at: int
    kind: str
    execution_id: str | None
    agent_id: str | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewExecution:
    """Everything that one submit writes."""

    id: str
    task_id: str | None
    task: str
    revision: int | None
    plan: Plan
    requested_by: str
    credential: str | None
    fleet_version: int
    starts: tuple[Start, ...]
    epoch: int | None = None
    """The database's when this was decided: another one may have forgotten agents and pools."""
    current_revision: int | None = None
    """The task's newest revision when this was decided; None when an older one was asked for."""
    reason: str = ""
    request_id: str | None = None
    told: tuple[Told, ...] = ()
    wants: tuple[Asked, ...] = ()
    waiting: tuple[int, ...] = ()
    """The first stages of the parts whose turn has not come."""
    due: tuple[int, ...] = ()
    """Those of them that have to be looked at now."""


@dataclass(frozen=True, slots=True)
class NextTry:
    """Seconds from now, and seconds from when its agent was last heard: the later of both."""

    delay: float
    silence: float = 0.0


@dataclass(frozen=True, slots=True)
class Due:
    """What time has brought about: steps that were waiting and are ready, or have waited for too long, executions whose
    time is over, in which something was adopted, (execution, stage) whose pauses are over, executions that were queued
    for too long (``tired``), and whether anybody asks for anything (``queues``)."""

    woken: list[StepRow]
    expired: list[StepRow]
    out_of_time: list[str]
    adopted: list[str]
    opening: list[tuple[str, int]]
    tired: list[str] = field(default_factory=list)
    queues: bool = False


@dataclass(frozen=True, slots=True)
class Silent:
    """A step that was handed out: seconds since its agent was heard, and since it was started."""

    step: StepRow
    silence: float
    age: float


@dataclass(frozen=True, slots=True)
class StepEnd:
    """Everything that one report writes: the outcome, and what follows from it in the same transaction.

    ``attempt_id`` is None for a step that ends without having been handed out.
    """

    step_id: str
    execution_id: str
    stage: int
    attempt_id: str | None
    agent_id: str
    session: str | None
    state: StepState
    event: StepEvent
    actor: Actor
    outcome: dict[str, Any]
    control: int
    remaining: tuple[int, int]
    """The guard: the counter must lie between these before the change."""
    lane_ends: bool
    failed: bool
    missed: bool = False
    heard: int | None = None
    """The guard: the host has not been heard since then."""
    cause: dict[str, Any] | None = None
    tail_offset: int = 0
    tail: bytes = b""
    tail_newlines: int = 0
    skipped: tuple[int, ...] = ()
    """The lane's later steps that end with it, as indexes: they have no event of their own."""
    skip_to: int = 0
    """The last stage in which the lane has steps."""
    failed_between: tuple[int, int] | None = None
    """The guard: where the counter of failures must lie, if that matters."""
    halts: int | None = None
    """With this end a rollout stops: lanes of the stage that still wait for this first step are skipped."""
    opening: Opening | None = None
    told: tuple[Told, ...] = ()
    skip_after_stage: bool = False
    part_stop: int = 2**40
    """The stage behind the last one of its part, if the plan has parts: ``in_parts``."""
    in_parts: bool = False
    passed: tuple[Passed, ...] = ()
    outcome_of_part: Outcome | None = None
    """How the part ends with this step: somebody has to look what follows."""
    starts: tuple[Start, ...] = ()
    execution_state: ExecutionState | None = None
    warnings: int = 0
    retry: NextTry | None = None
    """The step waits for its next attempt instead of ending."""
    term: Term | None = None
    """Of the leader who writes this."""
    problem: dict[str, Any] | None = None
    pause: dict[str, Any] | None = None
    """With this end the execution pauses, for this reason."""
    paused: bool = False
    """It is paused: what is tried again waits until somebody says go on."""

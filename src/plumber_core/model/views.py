"""What the operations answer: pydantic values, the same in-process, over the API and in the page.

Class names are the component names of the OpenAPI document and so of the page's types: keep them stable.
Times are aware UTC; durations are seconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from plumber_core.model.problems import Problem
from plumber_core.model.rollout_views import PlannedRollout, RolloutView
from plumber_core.model.states import AgentState, ExecutionState, Presence, StepState

Item = TypeVar("Item")
SourceFormat = Literal["auto", "yaml", "json", "toml"]


class View(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(frozen=True, ser_json_timedelta="float", json_schema_serialization_defaults_required=True)


class Page(View, Generic[Item]):
    """One page, newest first. ``next`` is the cursor of the following page, or None at the end."""

    items: list[Item]
    next: str | None = None


class Done(View):
    """The operation was carried out and has nothing to tell."""

    ok: bool = True


class Principal(View):
    """Who acts."""

    kind: Literal["user", "token", "agent", "system"]
    id: str
    name: str


class LoginResult(View):
    """A session token (shown once) and who it belongs to."""

    token: str
    expires_at: datetime
    user: Principal


class TokenInfo(View):
    """An API token without its secret."""

    id: str
    name: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class TokenCreated(TokenInfo):
    """``token`` is shown this once."""

    token: str


class SystemInfo(View):
    """What runs here."""

    version: str
    database: Literal["sqlite", "postgresql"]
    epoch: int
    time: datetime
    agents_online: int
    agents_total: int
    executions_running: int


class RevisionInfo(View):
    """One save of a task."""

    number: int
    author: str
    created_at: datetime
    note: str = ""
    digest: str


class RecentExecution(View):
    """One of a task's last results."""

    id: str
    state: ExecutionState
    created_at: datetime
    duration: float | None = None


class TaskSummary(View):
    """A task in a list. ``recent`` are its last results, the oldest first; ``usual_duration`` is the median of the
    successes among them in seconds; ``targets`` the first expressions that its steps run on."""

    id: str
    name: str
    description: str
    revision: int
    updated_at: datetime
    last_execution: str | None = None
    last_state: ExecutionState | None = None
    recent: list[RecentExecution] = []
    usual_duration: float | None = None
    targets: str = ""


class TaskDetail(View):
    """A task with one revision's source, as written, and as understood."""

    id: str
    name: str
    description: str
    revision: RevisionInfo
    format: SourceFormat
    source: str
    definition: dict[str, Any]
    created: bool = False
    changed: bool = True


class TaskDiff(View):
    """A unified diff between two revisions."""

    task: str
    old: int
    new: int
    diff: str


class ValidationReport(View):
    """``problems`` is empty when the task can be saved."""

    problems: list[Problem]
    name: str | None = None


class PlannedHost(View):
    """One host of a planned step; ``reason`` tells why it would have to wait."""

    id: str
    name: str
    presence: Presence


class PlannedStep(View):
    """One step as it would run, on all of ``hosts`` or on ``any_of`` of them, whoever is free. ``command`` is what
    executors call their summary; ``always``: it runs when all others have ended, however. ``when``: conditions that
    must hold on a host; ``needs``: the steps that end before, None in a list."""

    index: int
    name: str
    uses: str
    command: str
    path: str | None
    env: dict[str, str]
    timeout: float | None
    hosts: list[PlannedHost]
    any_of: int = 0
    always: bool = False
    when: list[str] = []
    needs: list[str] | None = None


class PlanView(View):
    """What a run would do now; ``hash`` changes when anything in it does."""

    task: str
    revision: int | None
    parameters: dict[str, Any]
    steps: list[PlannedStep]
    rollouts: list[PlannedRollout] = []
    hash: str


class AttemptView(View):
    """One try. ``state`` of an attempt is the outcome's; ``log_complete`` once stored bytes and digest agree.

    ``orphans`` counts processes that were left running, ``oom`` says that the kernel killed it for want of memory.
    """

    id: str
    number: int
    state: str | None
    started_at: datetime
    ended_at: datetime | None = None
    exit_code: int | None = None
    signal: int | None = None
    error: str | None = None
    detail: str = ""
    duration: float | None = None
    orphans: int = 0
    oom: bool = False
    log_end: int = 0
    log_complete: bool = False
    outputs: dict[str, str] = {}
    late: dict[str, Any] | None = None


class StepExecutionView(View):
    """One step on one host within an execution, in one round; ``replaced`` says that a later round has it too.

    ``by_hand`` is ``skip`` or ``done`` where a person has said so and nobody ran it in this round.

    ``waiting`` tells for what it waits, ``cause`` why it ended without ever having been handed out: each a code with
    arguments.
    """

    id: str
    index: int
    step: str
    host: str
    host_name: str
    round: int
    replaced: bool = False
    by_hand: str | None = None
    state: StepState
    always: bool = False
    uses: str
    command: str
    path: str | None = None
    env: dict[str, str] = {}
    started_at: datetime | None = None
    ended_at: datetime | None = None
    waiting: dict[str, Any] | None = None
    cause: dict[str, Any] | None = None
    attempts: list[AttemptView] = []


class ExecutionSummary(View):
    """An execution in a list; ``round`` counts how often people have moved its steps, by a resume or by hand.

    ``main_state`` is how its steps have ended, once those run that always do.
    """

    id: str
    task: str
    task_id: str | None
    revision: int | None
    state: ExecutionState
    requested_by: str
    reason: str = ""
    created_at: datetime
    ended_at: datetime | None = None
    duration: float | None = None
    warnings: int = 0
    cancel_requested: bool = False
    main_state: ExecutionState | None = None
    problem: dict[str, Any] | None = None
    round: int = 0


class ExecutionDetail(ExecutionSummary):
    """An execution with its steps; ``counts`` is over the newest round of each, state by state. ``waiting`` tells for
    what it is queued, as a code with arguments.

    ``event`` is the cursor of the event log up to which this view is true: follow from there. ``resumable``: once it
    has ended badly it can go on as a new round.
    """

    resumable: bool = True
    parameters: dict[str, Any] = {}
    steps: list[StepExecutionView] = []
    counts: dict[str, int] = {}
    waiting: dict[str, Any] | None = None
    rollouts: list[RolloutView] = []
    event: str = ""


class AgentView(View):
    """An agent; ``running`` counts live attempts; ``outdated`` says that its version is not the server's.

    ``load`` is the last minute's load average for each CPU, ``memory`` the used share of it (0 to 1), both in steps of
    5 % and only while the agent is heard. ``conflict``: another copy of it is alive, and neither gets steps until
    somebody has given the real one a new credential. ``awaited``: it gets nothing until it has told what it ran in
    commits that the database lost, or somebody has waived that. ``strays`` counts its attempts that the database does
    not know.
    """

    id: str
    name: str
    state: AgentState
    presence: Presence
    labels: dict[str, str] = {}
    facts: dict[str, str] = {}
    version: str = ""
    slots: int = 8
    running: int = 0
    executors: list[str] = []
    created_at: datetime
    last_seen_at: datetime | None = None
    original: bool = False
    outdated: bool = False
    load: float | None = None
    memory: float | None = None
    conflict: bool = False
    awaited: bool = False
    strays: int = 0


class StrayView(View):
    """An attempt that an agent ran for an execution that the database has lost; ``state`` None: not ended yet."""

    attempt: str
    execution: str
    task: str
    step: str
    seen_at: datetime
    state: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    error: str | None = None


class AgentConfig(View):
    """The content of agent.json: the agent's own lasting credential."""

    id: str
    token: str
    server_addr: str


class AgentCreated(View):
    """A new agent with its file; the token is shown this once."""

    agent: AgentView
    config: AgentConfig


class Enrolment(View):
    """A one-time token that produces an agent.json on the target server."""

    token: str
    expires_at: datetime
    command: str


class Event(View):
    """One line of the append-only event log. ``id`` is opaque and ordered: send it back to resume."""

    id: str
    at: datetime
    kind: str
    execution: str | None = None
    agent: str | None = None
    data: dict[str, Any] = {}


class Position(View):
    """The first item of a stream: it goes on after the event ``cursor``."""

    cursor: str


class LogGrowth(View):
    """A hint, not stored: an attempt's log is now durable up to ``end``."""

    execution: str
    step_execution: str
    attempt: str
    end: int


class LogSlice(View):
    """Encoded frames (``protocol/frames.py``) of an attempt's log from ``offset`` on.

    ``end`` is the durable end of the log; ``complete`` says that nothing will follow. ``line`` newlines stand before
    ``offset``, ``lines`` in the whole log so far; line numbers count from 0.
    """

    attempt: str
    offset: int
    data: bytes
    end: int
    complete: bool
    line: int = 0
    lines: int = 0

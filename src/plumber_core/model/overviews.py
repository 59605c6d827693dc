"""What pages need in one look: pictures of many rows, small enough for ten thousand hosts.

Class names are component names of the OpenAPI document, as in ``views.py``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from plumber_core.model.rollout_views import RolloutView
from plumber_core.model.states import AgentState, StepState
from plumber_core.model.views import ExecutionSummary, StepExecutionView, View


class ExecutionProgress(ExecutionSummary):
    """An execution that has not ended, with the number of its step executions by state.

    ``usual_duration`` is the median of the task's last successes in seconds, None when there is none.
    """

    counts: dict[str, int] = Field(default_factory=dict)
    usual_duration: float | None = None


class FleetCounts(View):
    """How many agents there are by presence and by decree."""

    total: int
    by_presence: dict[str, int]
    by_state: dict[str, int]


class Overview(View):
    """The home page: what runs, what failed, how the fleet is."""

    running: list[ExecutionProgress]
    failed: list[ExecutionSummary]
    fleet: FleetCounts
    tasks: int
    executions: int


class MatrixStep(View):
    """One step as a column. ``counts`` is over its hosts, state by state; ``always``: it runs behind all others;
    ``when``: conditions that must hold on a host; ``needs``: the steps that end before, None in a list."""

    index: int
    name: str
    uses: str
    command: str
    path: str | None = None
    always: bool = False
    when: list[str] = Field(default_factory=list)
    needs: list[str] | None = None
    counts: dict[str, int] = Field(default_factory=dict)


class MatrixHost(View):
    """One host as a row; ``awaited``: its ready steps wait until it has told what it ran in lost commits.

    Where nobody has claimed a pool's step yet, the row stands for whoever will: ``pool`` is how many agents may.
    """

    id: str
    name: str
    awaited: bool = False
    pool: int = 0


class ExecutionMatrix(ExecutionProgress):
    """An execution as hosts x steps, in compact columns.

    ``states[step][host]`` is an index into ``state_names``, or -1 where the step does not run; ``started`` and
    ``ended`` are seconds since ``created_at`` (None: not yet), ``exit_codes`` the last attempt's. ``event`` is the
    cursor of the event log up to which this is true: follow from there. ``waiting`` tells for what it is queued,
    ``waits`` by the ids of the first hosts why their ready steps are not started.
    """

    parameters: dict[str, Any] = Field(default_factory=dict)
    state_names: list[StepState]
    steps: list[MatrixStep]
    hosts: list[MatrixHost]
    states: list[list[int]]
    started: list[list[float | None]]
    ended: list[list[float | None]]
    exit_codes: list[list[int | None]]
    rollouts: list[RolloutView] = Field(default_factory=list)
    waiting: dict[str, Any] | None = None
    waits: dict[str, dict[str, Any]] = Field(default_factory=dict)
    event: str = ""


class OutputGroup(View):
    """Hosts on which a step ended in the same way with the same output.

    ``digest`` is over both streams, empty while there is none (running, or ended without output known); ``attempt``
    is one of the group's, to read the output from; ``last_line`` the end of that output, cut to 200 characters.
    """

    state: StepState
    exit_code: int | None = None
    error: str | None = None
    digest: str = ""
    bytes: int = 0
    attempt: str | None = None
    last_line: str = ""
    hosts: list[str]


class OutputGroups(View):
    """A step's hosts grouped by equal output: the fewest hosts first, failures before successes."""

    execution: str
    step: int
    groups: list[OutputGroup]


class OperationRecord(View):
    """Who did what to a step or its execution, and why."""

    at: datetime
    kind: str
    data: dict[str, Any] = Field(default_factory=dict)


class StepRecord(View):
    """One step on one host with all rounds (the newest first) and what was done to it by hand."""

    step: int
    host: str
    definition: dict[str, Any]
    rounds: list[StepExecutionView]
    operations: list[OperationRecord]


class LogSource(View):
    """An attempt whose log can be read: the newest one of a step on a host."""

    attempt: str
    step: int
    host: str
    host_name: str
    number: int
    started_at: datetime
    log_end: int
    log_complete: bool


class GroupView(View):
    """A saved group: a target expression with a name, ``total`` agents that it means now, and who changed it last."""

    name: str
    expression: str
    description: str = ""
    total: int
    updated_by: str
    updated_at: datetime


class FailedTerm(View):
    """A part of a target expression that an agent does not fulfil: ``label`` has this ``value`` there, or none."""

    term: str
    label: str
    value: str | None = None


class NearMiss(View):
    """An agent that a target expression nearly means: all that keeps it from it. ``state`` is what was decreed."""

    name: str
    state: AgentState
    failed: list[FailedTerm]


class UnknownWord(View):
    """A name, a label or a label's value that no agent has, and the nearest that one has."""

    word: str
    nearest: str | None = None


class TargetMatch(View):
    """Who matches a target expression now. ``names`` and ``offline_names`` are the first 50 of each.

    ``near`` are agents that do not match, those first that miss least: at most 10 of them. Of a
    pool (``any 1 of ...``) everybody in it matches, and ``any_of`` of them would run a step.
    """

    total: int
    online: int
    names: list[str]
    offline_names: list[str]
    near: list[NearMiss] = Field(default_factory=list)
    unknown: list[UnknownWord] = Field(default_factory=list)
    any_of: int = 0


class ExecutorView(View):
    """A step type with the JSON Schema of its parameters, and how many agents announce it."""

    kind: str
    summary: str
    params: dict[str, Any]
    agents: int
    here: bool

"""What pages need in one look: pictures of many rows, small enough for ten thousand hosts.

Class names are component names of the OpenAPI document, as in ``views.py``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from plumber_core.model.states import StepState
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
    """One step as a column. ``counts`` is over its hosts, state by state."""

    index: int
    name: str
    uses: str
    command: str
    path: str | None = None
    counts: dict[str, int] = Field(default_factory=dict)


class MatrixHost(View):
    """One host as a row."""

    id: str
    name: str


class ExecutionMatrix(ExecutionProgress):
    """An execution as hosts x steps, in compact columns.

    ``states[step][host]`` is an index into ``state_names``, or -1 where the step does not run; ``started`` and
    ``ended`` are seconds since ``created_at`` (None: not yet), ``exit_codes`` the last attempt's. ``event`` is the
    cursor of the event log up to which this is true: follow from there.
    """

    parameters: dict[str, Any] = Field(default_factory=dict)
    state_names: list[StepState]
    steps: list[MatrixStep]
    hosts: list[MatrixHost]
    states: list[list[int]]
    started: list[list[float | None]]
    ended: list[list[float | None]]
    exit_codes: list[list[int | None]]
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


class TargetMatch(View):
    """Who matches a target expression now. ``names`` and ``offline_names`` are the first 50 of each."""

    total: int
    online: int
    names: list[str]
    offline_names: list[str]


class ExecutorView(View):
    """A step type with the JSON Schema of its parameters, and how many agents announce it."""

    kind: str
    summary: str
    params: dict[str, Any]
    agents: int
    here: bool

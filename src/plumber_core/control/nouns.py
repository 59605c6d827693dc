"""Every operation that a person or a program can ask for, once: one Protocol per noun.

Arguments are keyword-friendly and JSON-shaped. Every operation may raise ``Unauthenticated``, ``Forbidden`` and
``Unavailable``; others are named. A name or an id is accepted wherever a task or an agent is meant.
"""

from __future__ import annotations

import builtins
from typing import Any, Protocol

from plumber_core.control.fleet import Agents as Agents
from plumber_core.control.fleet import Executors as Executors
from plumber_core.control.fleet import Groups as Groups
from plumber_core.control.notices import Notifications as Notifications
from plumber_core.control.operations import operation
from plumber_core.control.people import Sessions as Sessions
from plumber_core.control.people import Tokens as Tokens
from plumber_core.control.subscribers import Subscribers as Subscribers
from plumber_core.model.notice_views import PanelView, PluginView
from plumber_core.model.overviews import (
    ExecutionMatrix,
    LogSource,
    OutputGroups,
    Overview,
    StepRecord,
)
from plumber_core.model.panel_slots import PanelSlot
from plumber_core.model.resume_views import ResumePreview, WhichRevision
from plumber_core.model.rounds import What
from plumber_core.model.states import ExecutionState
from plumber_core.model.views import (
    Done,
    ExecutionDetail,
    ExecutionSummary,
    Page,
    PlanView,
    RevisionInfo,
    SourceFormat,
    SystemInfo,
    TaskDetail,
    TaskDiff,
    TaskSummary,
    ValidationReport,
)


class Tasks(Protocol):
    """Named definitions, saved as revisions."""

    @operation("task.validate", writes=False)
    async def validate(self, *, source: str, format: SourceFormat = "auto") -> ValidationReport:
        """Check a task file without saving it; every problem has its line, column and the nearest valid name."""
        ...

    @operation("task.apply")
    async def apply(
        self,
        *,
        source: str,
        format: SourceFormat = "auto",
        note: str = "",
        expected_revision: int | None = None,
    ) -> TaskDetail:
        """Create a task or save its next revision; the same content again changes nothing.

        ``expected_revision`` refuses to overwrite what somebody else saved meanwhile (0: must be new).

        Raises: ValidationFailed, Conflict.
        """
        ...

    @operation("task.list", writes=False)
    async def list(self, *, search: str = "", limit: int = 50, cursor: str | None = None) -> Page[TaskSummary]:
        """Return tasks in order of their names."""
        ...

    @operation("task.show", writes=False)
    async def show(self, *, task: str, revision: int | None = None) -> TaskDetail:
        """Return a task with its newest revision, or the one asked for.

        Raises: NotFound.
        """
        ...

    @operation("task.history", writes=False)
    async def history(self, *, task: str) -> builtins.list[RevisionInfo]:
        """Return all revisions, newest first.

        Raises: NotFound.
        """
        ...

    @operation("task.diff", writes=False)
    async def diff(self, *, task: str, old: int, new: int) -> TaskDiff:
        """Return a unified diff of two revisions' sources.

        Raises: NotFound.
        """
        ...

    @operation("task.plan", writes=False)
    async def plan(
        self, *, task: str, parameters: dict[str, Any] | None = None, revision: int | None = None
    ) -> PlanView:
        """Return what a run would do now: hosts and rendered steps.

        Raises: NotFound, InvalidRequest (parameters), NobodyMatches.
        """
        ...

    @operation("task.run")
    async def run(
        self,
        *,
        task: str,
        parameters: dict[str, Any] | None = None,
        reason: str = "",
        revision: int | None = None,
        request_id: str | None = None,
    ) -> ExecutionSummary:
        """Start an execution. The same ``request_id`` again returns the same execution.

        Raises: NotFound, InvalidRequest (parameters), NobodyMatches.
        """
        ...

    @operation("task.delete")
    async def delete(self, *, task: str) -> Done:
        """Delete a task; its executions stay.

        Raises: NotFound.
        """
        ...


class Executions(Protocol):
    """Runs of tasks."""

    @operation("execution.start")
    async def start(
        self,
        *,
        source: str,
        format: SourceFormat = "auto",
        parameters: dict[str, Any] | None = None,
        reason: str = "",
        request_id: str | None = None,
    ) -> ExecutionSummary:
        """Run a task that is not saved.

        Raises: ValidationFailed, InvalidRequest (parameters), NobodyMatches.
        """
        ...

    @operation("execution.list", writes=False)
    async def list(
        self,
        *,
        task: str | None = None,
        state: ExecutionState | None = None,
        search: str = "",
        by: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[ExecutionSummary]:
        """Return executions, newest first; ``search`` is a part of their tasks' names, ``by`` who requested them."""
        ...

    @operation("execution.show", writes=False)
    async def show(self, *, execution: str) -> ExecutionDetail:
        """Return an execution with every step on every host and its attempts.

        Raises: NotFound.
        """
        ...

    @operation("execution.matrix", writes=False)
    async def matrix(self, *, execution: str) -> ExecutionMatrix:
        """Return an execution as hosts x steps in compact columns, small enough for ten thousand hosts.

        Raises: NotFound.
        """
        ...

    @operation("execution.step", writes=False)
    async def step(self, *, execution: str, step: int, host: str) -> StepRecord:
        """Return one step, by its index, on one host, by its agent's id or name, with all rounds and attempts.

        Raises: NotFound.
        """
        ...

    @operation("execution.groups", writes=False)
    async def groups(self, *, execution: str, step: int) -> OutputGroups:
        """Return a step's hosts grouped by equal outcome and output, the odd ones first.

        Raises: NotFound.
        """
        ...

    @operation("execution.logs", writes=False)
    async def logs(
        self,
        *,
        execution: str,
        step: int | None = None,
        hosts: builtins.list[str] | None = None,
        limit: int = 200,
    ) -> builtins.list[LogSource]:
        """Return the newest attempt of each step execution whose log can be read, in order of their starts.

        Raises: NotFound.
        """
        ...

    @operation("execution.cancel")
    async def cancel(
        self,
        *,
        execution: str,
        reason: str = "",
        kill: bool = False,
        hosts: builtins.list[str] | None = None,
        step: str | None = None,
    ) -> ExecutionSummary:
        """Ask every running step to end (TERM, grace, KILL) and start no other; a second cancel kills at once.

        With ``hosts``, names or ids, only they are taken out of the execution: it goes on without them, and counts a
        warning for each. With ``step``, its name, only that step is ended, on ``hosts`` or wherever it was set going:
        it has failed there.

        Raises: NotFound, Conflict (already ended, or nothing of what is named can be cancelled).
        """
        ...

    @operation("execution.pause")
    async def pause(self, *, execution: str, reason: str = "") -> ExecutionSummary:
        """Start no further step until somebody says continue; what runs ends as it may, and counts.

        The time of the execution stands still meanwhile.

        Raises: NotFound, Conflict (it is queued, paused, being cancelled, or has ended).
        """
        ...

    @operation("execution.continue")
    async def continue_(self, *, execution: str, reason: str = "") -> ExecutionSummary:
        """Let a paused execution go on exactly where it was.

        Steps whose failure has paused it, and that nobody has tried again, skipped or marked as done, are passed over,
        each with a warning.

        Raises: NotFound, Conflict (it is not paused).
        """
        ...

    @operation("execution.go")
    async def go(self, *, execution: str, batch: int | None = None, reason: str = "") -> ExecutionSummary:
        """Go on with a rollout that waits between two batches, whether for somebody or for its pause to be over.

        ``batch`` says after which batch; a rollout that waits elsewhere by now stays as it is.

        Raises: NotFound, Conflict (nothing waits, or after another batch).
        """
        ...

    @operation("execution.preview_resume", writes=False)
    async def preview_resume(
        self,
        *,
        execution: str,
        what: What = "rest",
        hosts: builtins.list[str] | None = None,
        from_step: str | None = None,
        revision: WhichRevision = "old",
    ) -> ResumePreview:
        """Return what a resume would touch now, with the difference to the task's newest revision.

        Raises: NotFound, Conflict (not failed nor cancelled, nothing is left, or the newest revision has other steps),
            InvalidRequest.
        """
        ...

    @operation("execution.resume")
    async def resume(
        self,
        *,
        execution: str,
        what: What = "rest",
        hosts: builtins.list[str] | None = None,
        from_step: str | None = None,
        revision: WhichRevision = "old",
        reason: str = "",
    ) -> ExecutionSummary:
        """Go on with an execution that has failed or was cancelled; what has ended well is kept, the rest runs anew.

        ``what`` takes all hosts that have something left to do (``rest``), or only those that have failed. ``hosts``
        names hosts: no other is touched. From ``from_step`` on, a step's or a block's name, the hosts run everything
        again, and what lies before it is passed. ``revision`` ``new`` takes what steps do from the task's newest
        revision; where they run stays frozen.

        Raises: NotFound, Conflict (not failed nor cancelled, nothing is left, or the newest revision has other steps),
            InvalidRequest (a step that would begin cannot be rendered, an agent was deleted).
        """
        ...

    @operation("execution.retry_step")
    async def retry_step(self, *, execution: str, step: str, host: str, reason: str) -> ExecutionSummary:
        """Try a step again that has ended badly on one host; what waited for it goes on when it ends well.

        What has failed elsewhere stays so. ``step`` is its name, ``host`` an agent's name or id.

        Raises: NotFound, Conflict (it has not ended, has ended well, or its turn is over), InvalidRequest (no reason).
        """
        ...

    @operation("execution.skip_step")
    async def skip_step(self, *, execution: str, step: str, host: str, reason: str) -> ExecutionSummary:
        """Pass over a step that has ended badly on one host, and go on with what waited for it.

        Raises: NotFound, Conflict (it has not ended, has ended well, or its turn is over), InvalidRequest (no reason).
        """
        ...

    @operation("execution.mark_done")
    async def mark_done(self, *, execution: str, step: str, host: str, reason: str) -> ExecutionSummary:
        """Say that a step that has ended badly on one host was done by hand, and go on with what waited for it.

        It counts as succeeded, and has no outputs.

        Raises: NotFound, Conflict (it has not ended, has ended well, or its turn is over), InvalidRequest (no reason).
        """
        ...

    @operation("execution.rerun")
    async def rerun(self, *, execution: str, reason: str = "") -> ExecutionSummary:
        """Run the same revision with the same parameters again, on the hosts that match now.

        Raises: NotFound, NobodyMatches, Conflict (it ran a task that was never saved).
        """
        ...


class System(Protocol):
    """The installation itself."""

    @operation("system.info", writes=False)
    async def info(self) -> SystemInfo:
        """Return the version, the database and a few counts."""
        ...

    @operation("system.plugins", writes=False)
    async def plugins(self) -> builtins.list[PluginView]:
        """Return the plugins that this server has loaded, what they registered, and what of it fails."""
        ...

    @operation("system.panels", writes=False)
    async def panels(self, *, slot: PanelSlot) -> builtins.list[PanelView]:
        """Return the boxes of plugins for one place of the web page that the caller may see, in their order."""
        ...

    @operation("system.overview", writes=False)
    async def overview(self, *, failed_since: str | None = None) -> Overview:
        """Return what runs, what failed since a time of ISO 8601 (None: the last day) and how the fleet is.

        Raises: InvalidRequest (no such time).
        """
        ...

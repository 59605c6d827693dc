"""Every operation as a method, one class a noun.

Written by ``tools/generate_client.py`` from ``plumber_core/control``; do not edit.
"""

from __future__ import annotations

import builtins
from collections.abc import Awaitable
from typing import Any, Literal, Protocol, TypeVar

from plumber_core.model.notice_views import (
    ChannelView,
    DeliveryState,
    DeliveryView,
    PanelView,
    PluginView,
    SubscriberView,
)
from plumber_core.model.overviews import (
    ExecutionMatrix,
    ExecutorView,
    GroupView,
    LogSource,
    OutputGroups,
    Overview,
    StepRecord,
    TargetMatch,
)
from plumber_core.model.resume_views import ResumePreview
from plumber_core.model.states import ExecutionState
from plumber_core.model.views import (
    AgentConfig,
    AgentCreated,
    AgentView,
    Done,
    Enrolment,
    ExecutionDetail,
    ExecutionSummary,
    LoginResult,
    Page,
    PlanView,
    Principal,
    RevisionInfo,
    SourceFormat,
    StrayView,
    SystemInfo,
    TaskDetail,
    TaskDiff,
    TaskSummary,
    TokenCreated,
    TokenInfo,
    ValidationReport,
)

Answer = TypeVar("Answer")


class Call(Protocol):
    """Sends an operation and reads its answer."""

    def __call__(self, operation: str, answer: type[Answer], arguments: dict[str, Any], /) -> Awaitable[Answer]: ...


class Sessions:
    """Logging in and out."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def login(self, *, username: str, password: str) -> LoginResult:
        """Exchange a password for a session token.

        Raises: WrongPassword, RateLimited.
        """
        return await self._call("session.login", LoginResult, {"username": username, "password": password})

    async def logout(self) -> Done:
        """End the session that makes this call."""
        return await self._call("session.logout", Done, {})

    async def whoami(self) -> Principal:
        """Return who makes this call."""
        return await self._call("session.whoami", Principal, {})

    async def change_password(self, *, current: str, new: str) -> Done:
        """Change the caller's password and end all of the caller's other sessions.

        Raises: WrongPassword, InvalidRequest (shorter than 12 characters).
        """
        return await self._call("session.change_password", Done, {"current": current, "new": new})


class Tokens:
    """API tokens for programs."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def create(self, *, name: str, days: int | None = 365) -> TokenCreated:
        """Create an API token; its secret is in this answer only. ``days`` None never expires."""
        return await self._call("token.create", TokenCreated, {"name": name, "days": days})

    async def list(self) -> builtins.list[TokenInfo]:
        """Return the caller's API tokens."""
        return await self._call("token.list", builtins.list[TokenInfo], {})

    async def revoke(self, *, id: str) -> Done:
        """Revoke an API token at once.

        Raises: NotFound.
        """
        return await self._call("token.revoke", Done, {"id": id})


class Tasks:
    """Named definitions, saved as revisions."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def validate(self, *, source: str, format: SourceFormat = "auto") -> ValidationReport:
        """Check a task file without saving it; every problem has its line, column and the nearest valid name."""
        return await self._call("task.validate", ValidationReport, {"source": source, "format": format})

    async def apply(
        self, *, source: str, format: SourceFormat = "auto", note: str = "", expected_revision: int | None = None
    ) -> TaskDetail:
        """Create a task or save its next revision; the same content again changes nothing.

        ``expected_revision`` refuses to overwrite what somebody else saved meanwhile (0: must be new).

        Raises: ValidationFailed, Conflict.
        """
        return await self._call(
            "task.apply",
            TaskDetail,
            {"source": source, "format": format, "note": note, "expected_revision": expected_revision},
        )

    async def list(self, *, search: str = "", limit: int = 50, cursor: str | None = None) -> Page[TaskSummary]:
        """Return tasks in order of their names."""
        return await self._call("task.list", Page[TaskSummary], {"search": search, "limit": limit, "cursor": cursor})

    async def show(self, *, task: str, revision: int | None = None) -> TaskDetail:
        """Return a task with its newest revision, or the one asked for.

        Raises: NotFound.
        """
        return await self._call("task.show", TaskDetail, {"task": task, "revision": revision})

    async def history(self, *, task: str) -> builtins.list[RevisionInfo]:
        """Return all revisions, newest first.

        Raises: NotFound.
        """
        return await self._call("task.history", builtins.list[RevisionInfo], {"task": task})

    async def diff(self, *, task: str, old: int, new: int) -> TaskDiff:
        """Return a unified diff of two revisions' sources.

        Raises: NotFound.
        """
        return await self._call("task.diff", TaskDiff, {"task": task, "old": old, "new": new})

    async def plan(
        self, *, task: str, parameters: dict[str, Any] | None = None, revision: int | None = None
    ) -> PlanView:
        """Return what a run would do now: hosts and rendered steps.

        Raises: NotFound, InvalidRequest (parameters), NobodyMatches.
        """
        return await self._call("task.plan", PlanView, {"task": task, "parameters": parameters, "revision": revision})

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
        return await self._call(
            "task.run",
            ExecutionSummary,
            {"task": task, "parameters": parameters, "reason": reason, "revision": revision, "request_id": request_id},
        )

    async def delete(self, *, task: str) -> Done:
        """Delete a task; its executions stay.

        Raises: NotFound.
        """
        return await self._call("task.delete", Done, {"task": task})


class Executions:
    """Runs of tasks."""

    def __init__(self, call: Call) -> None:
        self._call = call

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
        return await self._call(
            "execution.start",
            ExecutionSummary,
            {"source": source, "format": format, "parameters": parameters, "reason": reason, "request_id": request_id},
        )

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
        return await self._call(
            "execution.list",
            Page[ExecutionSummary],
            {"task": task, "state": state, "search": search, "by": by, "limit": limit, "cursor": cursor},
        )

    async def show(self, *, execution: str) -> ExecutionDetail:
        """Return an execution with every step on every host and its attempts.

        Raises: NotFound.
        """
        return await self._call("execution.show", ExecutionDetail, {"execution": execution})

    async def matrix(self, *, execution: str) -> ExecutionMatrix:
        """Return an execution as hosts x steps in compact columns, small enough for ten thousand hosts.

        Raises: NotFound.
        """
        return await self._call("execution.matrix", ExecutionMatrix, {"execution": execution})

    async def step(self, *, execution: str, step: int, host: str) -> StepRecord:
        """Return one step, by its index, on one host, by its agent's id or name, with all rounds and attempts.

        Raises: NotFound.
        """
        return await self._call("execution.step", StepRecord, {"execution": execution, "step": step, "host": host})

    async def groups(self, *, execution: str, step: int) -> OutputGroups:
        """Return a step's hosts grouped by equal outcome and output, the odd ones first.

        Raises: NotFound.
        """
        return await self._call("execution.groups", OutputGroups, {"execution": execution, "step": step})

    async def logs(
        self, *, execution: str, step: int | None = None, hosts: builtins.list[str] | None = None, limit: int = 200
    ) -> builtins.list[LogSource]:
        """Return the newest attempt of each step execution whose log can be read, in order of their starts.

        Raises: NotFound.
        """
        return await self._call(
            "execution.logs",
            builtins.list[LogSource],
            {"execution": execution, "step": step, "hosts": hosts, "limit": limit},
        )

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
        return await self._call(
            "execution.cancel",
            ExecutionSummary,
            {"execution": execution, "reason": reason, "kill": kill, "hosts": hosts, "step": step},
        )

    async def pause(self, *, execution: str, reason: str = "") -> ExecutionSummary:
        """Start no further step until somebody says continue; what runs ends as it may, and counts.

        The time of the execution stands still meanwhile.

        Raises: NotFound, Conflict (it is queued, paused, being cancelled, or has ended).
        """
        return await self._call("execution.pause", ExecutionSummary, {"execution": execution, "reason": reason})

    async def continue_(self, *, execution: str, reason: str = "") -> ExecutionSummary:
        """Let a paused execution go on exactly where it was.

        Steps whose failure has paused it, and that nobody has tried again, skipped or marked as done, are passed over,
        each with a warning.

        Raises: NotFound, Conflict (it is not paused).
        """
        return await self._call("execution.continue", ExecutionSummary, {"execution": execution, "reason": reason})

    async def go(self, *, execution: str, batch: int | None = None, reason: str = "") -> ExecutionSummary:
        """Go on with a rollout that waits between two batches, whether for somebody or for its pause to be over.

        ``batch`` says after which batch; a rollout that waits elsewhere by now stays as it is.

        Raises: NotFound, Conflict (nothing waits, or after another batch).
        """
        return await self._call(
            "execution.go", ExecutionSummary, {"execution": execution, "batch": batch, "reason": reason}
        )

    async def preview_resume(
        self,
        *,
        execution: str,
        what: Literal["rest", "failed"] = "rest",
        hosts: builtins.list[str] | None = None,
        from_step: str | None = None,
        revision: Literal["old", "new"] = "old",
    ) -> ResumePreview:
        """Return what a resume would touch now, with the difference to the task's newest revision.

        Raises: NotFound, Conflict (not failed nor cancelled, nothing is left, or the newest revision has other steps),
            InvalidRequest.
        """
        return await self._call(
            "execution.preview_resume",
            ResumePreview,
            {"execution": execution, "what": what, "hosts": hosts, "from_step": from_step, "revision": revision},
        )

    async def resume(
        self,
        *,
        execution: str,
        what: Literal["rest", "failed"] = "rest",
        hosts: builtins.list[str] | None = None,
        from_step: str | None = None,
        revision: Literal["old", "new"] = "old",
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
        return await self._call(
            "execution.resume",
            ExecutionSummary,
            {
                "execution": execution,
                "what": what,
                "hosts": hosts,
                "from_step": from_step,
                "revision": revision,
                "reason": reason,
            },
        )

    async def retry_step(self, *, execution: str, step: str, host: str, reason: str) -> ExecutionSummary:
        """Try a step again that has ended badly on one host; what waited for it goes on when it ends well.

        What has failed elsewhere stays so. ``step`` is its name, ``host`` an agent's name or id.

        Raises: NotFound, Conflict (it has not ended, has ended well, or its turn is over), InvalidRequest (no reason).
        """
        return await self._call(
            "execution.retry_step",
            ExecutionSummary,
            {"execution": execution, "step": step, "host": host, "reason": reason},
        )

    async def skip_step(self, *, execution: str, step: str, host: str, reason: str) -> ExecutionSummary:
        """Pass over a step that has ended badly on one host, and go on with what waited for it.

        Raises: NotFound, Conflict (it has not ended, has ended well, or its turn is over), InvalidRequest (no reason).
        """
        return await self._call(
            "execution.skip_step",
            ExecutionSummary,
            {"execution": execution, "step": step, "host": host, "reason": reason},
        )

    async def mark_done(self, *, execution: str, step: str, host: str, reason: str) -> ExecutionSummary:
        """Say that a step that has ended badly on one host was done by hand, and go on with what waited for it.

        It counts as succeeded, and has no outputs.

        Raises: NotFound, Conflict (it has not ended, has ended well, or its turn is over), InvalidRequest (no reason).
        """
        return await self._call(
            "execution.mark_done",
            ExecutionSummary,
            {"execution": execution, "step": step, "host": host, "reason": reason},
        )

    async def rerun(self, *, execution: str, reason: str = "") -> ExecutionSummary:
        """Run the same revision with the same parameters again, on the hosts that match now.

        Raises: NotFound, NobodyMatches, Conflict (it ran a task that was never saved).
        """
        return await self._call("execution.rerun", ExecutionSummary, {"execution": execution, "reason": reason})


class Agents:
    """The fleet."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def list(self, *, on: str = "all", limit: int = 500, cursor: str | None = None) -> Page[AgentView]:
        """Return the agents that match a target expression, in order of their names."""
        return await self._call("agent.list", Page[AgentView], {"on": on, "limit": limit, "cursor": cursor})

    async def match(self, *, on: str) -> TargetMatch:
        """Return who matches a target expression now and could run a step, and who nearly does and why not.

        Raises: InvalidRequest (its reason names the column).
        """
        return await self._call("agent.match", TargetMatch, {"on": on})

    async def show(self, *, agent: str) -> AgentView:
        """Return one agent.

        Raises: NotFound.
        """
        return await self._call("agent.show", AgentView, {"agent": agent})

    async def create(self, *, name: str, labels: dict[str, str] | None = None, slots: int = 8) -> AgentCreated:
        """Create an agent and its agent.json; the token is in this answer only.

        Raises: InvalidRequest, Conflict (the name is taken).
        """
        return await self._call("agent.create", AgentCreated, {"name": name, "labels": labels, "slots": slots})

    async def enroll(
        self, *, name: str | None = None, labels: dict[str, str] | None = None, minutes: int = 60
    ) -> Enrolment:
        """Create a one-time token with which a new server enrols itself."""
        return await self._call("agent.enroll", Enrolment, {"name": name, "labels": labels, "minutes": minutes})

    async def redeem(self, *, token: str, name: str, server_addr: str) -> AgentConfig:
        """Exchange a one-time enrolment token for an agent.json.

        Raises: Unauthenticated (used, expired or wrong), Conflict (the name is taken), RateLimited.
        """
        return await self._call("agent.redeem", AgentConfig, {"token": token, "name": name, "server_addr": server_addr})

    async def update(
        self, *, agent: str, name: str | None = None, labels: dict[str, str] | None = None, slots: int | None = None
    ) -> AgentView:
        """Change what is given; ``labels`` replaces all labels.

        Raises: NotFound, InvalidRequest, Conflict (the name is taken).
        """
        return await self._call(
            "agent.update", AgentView, {"agent": agent, "name": name, "labels": labels, "slots": slots}
        )

    async def drain(self, *, agent: str) -> AgentView:
        """Hand out no new steps; running ones end.

        Raises: NotFound, Conflict.
        """
        return await self._call("agent.drain", AgentView, {"agent": agent})

    async def activate(self, *, agent: str) -> AgentView:
        """Hand out steps again.

        Raises: NotFound, Conflict (revoked).
        """
        return await self._call("agent.activate", AgentView, {"agent": agent})

    async def disable(self, *, agent: str) -> AgentView:
        """Hand out no new steps and let no new execution target this agent.

        Raises: NotFound, Conflict.
        """
        return await self._call("agent.disable", AgentView, {"agent": agent})

    async def waive(self, *, agent: str) -> AgentView:
        """Wait no longer for what an agent has not told since the database lost commits.

        For an agent that will not come back, and for one of the original, which cannot tell. What it ran in the lost
        commits may then run a second time.

        Raises: NotFound, Conflict (nothing is awaited of it).
        """
        return await self._call("agent.waive", AgentView, {"agent": agent})

    async def strays(self, *, agent: str, limit: int = 50, cursor: str | None = None) -> Page[StrayView]:
        """Return what an agent ran for executions that the database has lost, newest first.

        Raises: NotFound.
        """
        return await self._call("agent.strays", Page[StrayView], {"agent": agent, "limit": limit, "cursor": cursor})

    async def rotate(self, *, agent: str) -> AgentConfig:
        """Issue a new credential; the old one lives until the new one is first used.

        Raises: NotFound, Conflict (revoked).
        """
        return await self._call("agent.rotate", AgentConfig, {"agent": agent})

    async def revoke(self, *, agent: str) -> AgentView:
        """Refuse the agent from now on.

        Raises: NotFound.
        """
        return await self._call("agent.revoke", AgentView, {"agent": agent})

    async def delete(self, *, agent: str) -> Done:
        """Forget an agent; its history stays, its id is never used again.

        Raises: NotFound, Conflict (it still runs something).
        """
        return await self._call("agent.delete", Done, {"agent": agent})


class Groups:
    """Saved groups: target expressions that have a name; ``group:NAME`` means them in any target."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def list(self) -> builtins.list[GroupView]:
        """Return every group, in order of their names."""
        return await self._call("group.list", builtins.list[GroupView], {})

    async def save(self, *, name: str, expression: str, description: str = "") -> GroupView:
        """Give a target expression a name, or another expression to a name.

        Executions that have started keep the hosts that they have.

        Raises: InvalidRequest (its reason names the column, the group that does not exist, or the circle).
        """
        return await self._call(
            "group.save", GroupView, {"name": name, "expression": expression, "description": description}
        )

    async def delete(self, *, name: str) -> Done:
        """Forget a group. A task that names it cannot run until it is saved again.

        Raises: NotFound, Conflict (another group is made of it).
        """
        return await self._call("group.delete", Done, {"name": name})


class Executors:
    """Step types."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def list(self) -> builtins.list[ExecutorView]:
        """Return every step type that this server or an agent knows, with the JSON Schema of its parameters."""
        return await self._call("executor.list", builtins.list[ExecutorView], {})


class Notifications:
    """Messages to people about what happened."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def channels(self) -> builtins.list[ChannelView]:
        """Return the channels that plugins offer, and what waits or has failed on each."""
        return await self._call("notification.channels", builtins.list[ChannelView], {})

    async def list(
        self,
        *,
        state: DeliveryState | None = None,
        channel: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[DeliveryView]:
        """Return notifications, newest first."""
        return await self._call(
            "notification.list",
            Page[DeliveryView],
            {"state": state, "channel": channel, "limit": limit, "cursor": cursor},
        )

    async def test(self, *, channel: str) -> DeliveryView:
        """Send a notification to a channel now and return how that went; it is tried once.

        Raises: NotFound.
        """
        return await self._call("notification.test", DeliveryView, {"channel": channel})

    async def retry(self, *, id: str) -> DeliveryView:
        """Try a notification again now, also one that was given up.

        Raises: NotFound, Conflict (it was delivered).
        """
        return await self._call("notification.retry", DeliveryView, {"id": id})


class Subscribers:
    """Who hears what happened, and how far he has come."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def list(self) -> builtins.list[SubscriberView]:
        """Return the event subscribers with their places in the event log; of one that is stuck also where and why.

        Without a ``plugin`` it is not loaded here, and its place is kept.
        """
        return await self._call("subscriber.list", builtins.list[SubscriberView], {})

    async def retry(self, *, name: str) -> SubscriberView:
        """Ask a stuck subscriber again now, instead of when its waiting time is over.

        Raises: NotFound, Conflict (it is not stuck).
        """
        return await self._call("subscriber.retry", SubscriberView, {"name": name})

    async def skip(self, *, name: str, event: str, reason: str) -> SubscriberView:
        """Have a stuck subscriber go on behind the event that it cannot take, which it will never hear.

        ``event`` is that event's id, so that nobody skips another one.

        Raises: NotFound, Conflict (it is not stuck, or at another event), InvalidRequest (no reason).
        """
        return await self._call("subscriber.skip", SubscriberView, {"name": name, "event": event, "reason": reason})


class System:
    """The installation itself."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def info(self) -> SystemInfo:
        """Return the version, the database and a few counts."""
        return await self._call("system.info", SystemInfo, {})

    async def plugins(self) -> builtins.list[PluginView]:
        """Return the plugins that this server has loaded, what they registered, and what of it fails."""
        return await self._call("system.plugins", builtins.list[PluginView], {})

    async def panels(self, *, slot: Literal["home", "task", "execution", "agent"]) -> builtins.list[PanelView]:
        """Return the boxes of plugins for one place of the web page that the caller may see, in their order."""
        return await self._call("system.panels", builtins.list[PanelView], {"slot": slot})

    async def overview(self, *, failed_since: str | None = None) -> Overview:
        """Return what runs, what failed since a time of ISO 8601 (None: the last day) and how the fleet is.

        Raises: InvalidRequest (no such time).
        """
        return await self._call("system.overview", Overview, {"failed_since": failed_since})

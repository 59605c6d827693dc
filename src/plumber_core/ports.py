"""What the engine needs from outside: a store, wake-ups between replicas, and a clock for local waiting.

The one implementation of ``Store`` is ``storage.SqlStore``; SQLite in memory is the fake. Every method is one
transaction unless it says otherwise; guards that fail return False or None, and nothing was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from plumber_core.model import records as r
from plumber_core.model.plan import Plan
from plumber_core.model.states import AgentState, ExecutionState


class AccessStore(Protocol):
    """Users and credentials. Secrets come hashed."""

    async def ensure_user(self, username: str, password_hash: str) -> bool:
        """Create the user when there is none by that name; say whether it was created."""
        ...

    async def find_user(self, username: str) -> r.UserRow | None: ...

    async def set_password(self, user: str, password_hash: str, keep: str | None) -> None:
        """Store a new password and revoke the user's sessions except the credential ``keep``."""
        ...

    async def add_credential(
        self, kind: str, owner: str, secret: str, *, name: str, seconds: float | None, data: dict[str, Any]
    ) -> r.CredentialRow:
        """Store a credential that expires in ``seconds`` (None: never)."""
        ...

    async def find_credential(self, secret: str) -> r.CredentialRow | None:
        """Return the live credential with this hash."""
        ...

    async def list_credentials(self, kind: str, owner: str) -> list[r.CredentialRow]: ...

    async def revoke_credential(self, id: str, owner: str | None = None) -> bool: ...

    async def touch_agent_credential(self, id: str, agent: str) -> None:
        """Note the first use of an agent's credential: from now on its older ones are refused."""
        ...

    async def use_enrolment(self, secret: str, agent: r.AgentRow, agent_secret: str) -> str | None:
        """Spend a one-time token and create the agent with its credential, atomically.

        Returns None, or why not: ``token`` or ``name``.
        """
        ...


class TaskStore(Protocol):
    """Definitions and their revisions."""

    async def save_task(
        self, row: r.RevisionRow, name: str, description: str, expected: int | None
    ) -> tuple[r.TaskRow, bool] | None:
        """Create a task or add a revision; the same digest changes nothing. None when ``expected`` differs.

        The flag says whether a revision was written. ``row.task_id`` is used for a new task only.
        """
        ...

    async def find_task(self, name_or_id: str) -> r.TaskRow | None: ...

    async def find_revision(self, task_id: str, number: int) -> r.RevisionRow | None: ...

    async def list_revisions(self, task_id: str) -> list[r.RevisionRow]: ...

    async def list_tasks(self, search: str, limit: int, after: str | None) -> list[dict[str, Any]]:
        """Return task rows in order of names, each with ``last_execution`` and ``last_state``."""
        ...

    async def delete_task(self, id: str) -> bool: ...


class AgentStore(Protocol):
    """The fleet."""

    async def add_agent(self, agent: r.AgentRow, secret: str) -> bool:
        """Create an agent with its credential; False when the name is taken."""
        ...

    async def find_agent(self, name_or_id: str) -> r.AgentRow | None: ...

    async def list_agents(self) -> tuple[int, list[r.AgentRow]]:
        """Return the fleet's version and every agent, by name, with the number of its live attempts."""
        ...

    async def update_agent(self, id: str, values: dict[str, Any]) -> bool:
        """Change columns and the fleet's version; False when a name is taken."""
        ...

    async def set_agent_state(self, id: str, state: AgentState, sources: Sequence[AgentState]) -> bool: ...

    async def rotate_agent(self, id: str, secret: str) -> None:
        """Add a credential; the older ones die when it is first used."""
        ...

    async def delete_agent(self, id: str) -> bool:
        """Forget an agent without live attempts."""
        ...

    async def open_session(
        self, id: str, decide: Callable[[r.AgentRow, int], dict[str, Any] | None]
    ) -> tuple[r.AgentRow, int] | None:
        """Lock the agent's row, let ``decide(row, epoch)`` say which columns change, write them, return the row."""
        ...

    async def presence(self, server: str, heard: dict[str, float]) -> int:
        """Store when agents were last heard (seconds ago), and that this server lives; return how many do."""
        ...

    async def forget_server(self, server: str) -> None: ...

    async def live_steps(self, agent_id: str) -> list[tuple[r.StepRow, r.AttemptRow]]:
        """Return the agent's live step executions with their attempts."""
        ...


class ExecutionStore(Protocol):
    """Executions and the writes of the hot path."""

    async def submit(self, new: r.NewExecution) -> bool:
        """Write a new execution. False when the credential, the task's revision or the fleet moved on."""
        ...

    async def end_step(self, end: r.StepEnd) -> bool:
        """Write an outcome and what follows from it. False when the attempt, state or counter moved on."""
        ...

    async def claim(
        self, agent_id: str, session: str, *, limit: int, beat: int, boot_id: str, nonce: str
    ) -> list[r.StepRow]:
        """Hand up to ``limit`` ready steps of an agent to its session: ready -> running, one statement."""
        ...

    async def requeue(self, attempt_id: str, agent_id: str) -> bool:
        """Give a step back whose current attempt never ran and whose cancel nobody asked for: it is ready again."""
        ...

    async def load(self, execution_id: str) -> tuple[r.ExecutionRow, Plan, list[r.Progress]] | None: ...

    async def step_of(self, attempt_id: str) -> tuple[r.StepRow, r.AttemptRow] | None: ...

    async def outputs(self, execution_id: str, steps: Sequence[int]) -> list[tuple[int, str, dict[str, str]]]:
        """Return (step, agent, outputs) of succeeded steps."""
        ...

    async def store_late(self, attempt_id: str, agent_id: str, outcome: dict[str, Any]) -> str:
        """Keep an outcome beside a step that ended without it; say duplicate, late, conflict or unknown."""
        ...

    async def cancel(self, execution_id: str, kill: bool) -> list[r.StepRow] | None:
        """Cancel what waits, mark what runs, end the execution when nothing runs. None: had ended already.

        Returns the steps that were running.
        """
        ...

    async def picture(self, execution_id: str) -> r.Picture | None:
        """Return an execution with everything in it, all of one moment."""
        ...

    async def list_executions(
        self, task_id: str | None, state: ExecutionState | None, search: str, limit: int, before: str | None
    ) -> list[r.ExecutionRow]: ...

    async def count_running(self) -> int: ...

    async def find_request(self, request_id: str) -> str | None:
        """Return the execution that a request id started."""
        ...


class ReaperStore(Protocol):
    """What time brings about. Idempotent, any replica may do it."""

    async def mark_unreachable(self, lease: float) -> list[r.StepRow]: ...

    async def mark_reachable(self, agent_id: str, attempts: Sequence[str]) -> None: ...

    async def overdue(self, lost_after: float) -> list[r.StepRow]:
        """Return unreachable steps whose agent was silent for ``lost_after`` seconds."""
        ...

    async def waiting_agents(self) -> list[str]:
        """Return the agents that have ready steps or cancels to be told of."""
        ...

    async def sweep_credentials(self) -> None: ...


class LogStore(Protocol):
    """Attempts' logs: append by offset only."""

    async def append(self, chunks: Sequence[tuple[str, str, int, bytes]]) -> tuple[dict[str, int], list[str]]:
        """Append (attempt, agent, offset, frames) where offset meets the end.

        Returns the ends (-1: not this agent's) and the attempts whose log is complete with this.
        """
        ...

    async def read_log(self, attempt_id: str, offset: int, limit: int) -> tuple[r.AttemptRow, bytes] | None: ...

    async def read_log_from(self, attempt_id: str, place: r.LogPlace, limit: int) -> r.LogPiece | None:
        """Return the rows from the one at a place on, about ``limit`` bytes, by a fixed number of statements."""
        ...

    async def set_log_state(self, attempt_id: str, state: str) -> None: ...


class OverviewStore(Protocol):
    """Reads for pictures of many rows."""

    async def matrix(self, execution_id: str) -> r.MatrixRows | None: ...

    async def step_rounds(
        self, execution_id: str, step: int, agent_id: str
    ) -> tuple[list[r.StepRow], list[r.AttemptRow]]:
        """Return a step's rounds on one host, the newest first, and their attempts."""
        ...

    async def step_ends(self, execution_id: str, step: int) -> list[tuple[r.StepRow, r.AttemptRow | None]]:
        """Return a step's executions with their current attempts, by lane and round."""
        ...

    async def log_sources(
        self, execution_id: str, step: int | None, agents: Sequence[str] | None, limit: int
    ) -> list[tuple[Any, ...]]:
        """Return (attempt, step, agent, number, started, log end, log state) of current attempts."""
        ...

    async def operations_on(self, execution_id: str) -> list[r.EventRow]:
        """Return what people did to an execution."""
        ...

    async def running_and_failed(self, since: int) -> tuple[list[r.ExecutionRow], list[r.ExecutionRow]]: ...

    async def state_counts(self, executions: Sequence[str]) -> dict[str, dict[str, int]]: ...

    async def recent_results(
        self, tasks: Sequence[str], each: int
    ) -> dict[str, list[tuple[str, str, int, int | None]]]:
        """Return (execution, state, created, ended) of tasks' last executions, the newest first."""
        ...

    async def definitions(self, revisions: Sequence[tuple[str, int]]) -> dict[str, dict[str, Any]]:
        """Return the definitions of (task, revision) by task."""
        ...

    async def totals(self) -> tuple[int, int]:
        """Return how many tasks and executions there are; of executions no more than a thousand are counted."""
        ...


class EventStore(Protocol):
    """The append-only event log."""

    async def events_after(self, cursor: str, execution_id: str | None, limit: int) -> list[r.EventRow]: ...

    async def last_event(self) -> str: ...

    async def add_event(
        self, kind: str, execution_id: str | None, agent_id: str | None, data: dict[str, Any]
    ) -> None: ...


class Store(
    AccessStore, TaskStore, AgentStore, ExecutionStore, ReaperStore, LogStore, EventStore, OverviewStore, Protocol
):
    """Everything durable."""

    @property
    def dialect(self) -> str: ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def now(self) -> int: ...

    async def epoch(self) -> int: ...

    async def ping(self) -> None:
        """Raise Unavailable when the database does not answer."""
        ...

    async def notify(self, payload: str) -> None:
        """Tell the other replicas; a hint that may be lost."""
        ...

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Call ``heard`` with other replicas' hints until cancelled. Returns at once where there are none."""
        ...

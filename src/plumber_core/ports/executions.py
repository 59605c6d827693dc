"""Executions: submitted, handed out, ended."""

from __future__ import annotations

from typing import Any, Protocol

from plumber_core.model import records as r
from plumber_core.model.plan import Plan
from plumber_core.model.turns import CancelScope, Turn
from plumber_core.ports.pausing import PauseStore
from plumber_core.ports.pools import PoolStore
from plumber_core.ports.rollouts import BatchStore
from plumber_core.ports.rounds import RoundStore


class ExecutionStore(PoolStore, BatchStore, RoundStore, PauseStore, Protocol):
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

    async def requeue(self, attempt_id: str, agent_id: str, session: str) -> bool:
        """Make a step ready again whose current attempt never ran and whose cancel nobody asked for.

        ``session`` must be the agent's current one.
        """
        ...

    async def load(
        self, execution_id: str, plan: Plan | None = None
    ) -> tuple[r.ExecutionRow, Plan, list[r.Progress]] | None:
        """Return an execution with its counters. Its ``plan`` changes with its round only."""
        ...

    async def step(self, step_id: str) -> r.StepRow | None:
        """Return one step execution."""
        ...

    async def step_of(self, attempt_id: str) -> tuple[r.StepRow, r.AttemptRow] | None: ...

    async def store_late(
        self, attempt_id: str, agent_id: str, outcome: dict[str, Any], session: str | None = None
    ) -> str:
        """Keep an outcome beside a step that ended without it; say duplicate, late, conflict or unknown.

        A ``session`` that is not the agent's current one changes nothing: ``over``.
        """
        ...

    async def cancel(
        self,
        execution_id: str,
        kill: bool,
        problem: dict[str, Any] | None = None,
        term: r.Term | None = None,
        scope: CancelScope | None = None,
    ) -> list[r.StepRow] | None:
        """Cancel what waits, mark what runs, end the execution when nothing runs: as failed if there is a problem.

        In a plan of parts only what is in ``scope``; what follows is then another write.
        Returns the steps that were running; None: it had ended already, or a leader leads no more.
        """
        ...

    async def take_turn(self, turn: Turn) -> bool:
        """Write what follows from parts that have ended. False when the execution has ended, or changed meanwhile."""
        ...

    async def picture(self, execution_id: str) -> r.Picture | None:
        """Return an execution with everything in it, all of one moment."""
        ...

    async def list_executions(self, wanted: r.Wanted, limit: int, before: str | None) -> list[r.ExecutionRow]: ...

    async def count_running(self) -> int: ...

    async def find_request(self, request_id: str) -> str | None:
        """Return the execution that a request id started."""
        ...

"""What a replica remembers to save reads. Every write is guarded against a stale memory and tried again from a fresh
read, so nothing here can make a wrong one."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, replace

from plumber_core.errors import NotFound
from plumber_core.model import records as r
from plumber_core.model.agent import AgentRef
from plumber_core.model.plan import Plan
from plumber_core.planning.advance import Advance
from plumber_core.ports import Store

KEPT_EXECUTIONS = 2000


@dataclass(eq=False)
class ExecutionMemory:
    """A running execution: its frozen plan and the counters as last seen."""

    id: str
    plan: Plan
    progress: dict[int, r.Progress]
    cancelled: bool = False

    def apply(self, move: Advance) -> None:
        """Follow a change that this replica has committed."""
        if move.lane_ends:
            seen = self.progress[move.stage]
            self.progress[move.stage] = replace(
                seen, remaining=seen.remaining - 1, failed=seen.failed + int(move.failed)
            )


class Executions:
    """Running executions, least recently used out."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, ExecutionMemory] = OrderedDict()

    async def get(self, execution_id: str, *, fresh: bool = False) -> ExecutionMemory:
        """Return an execution, from the database when ``fresh`` or not known.

        Raises:
            NotFound: there is none.
        """
        known = self._kept.get(execution_id)
        if known is not None and not fresh:
            self._kept.move_to_end(execution_id)
            return known
        loaded = await self._store.load(execution_id)
        if loaded is None:
            raise NotFound(kind="execution", name=execution_id)
        row, plan, stages = loaded
        memory = ExecutionMemory(row.id, plan, {p.stage: p for p in stages}, row.cancel_requested)
        self._keep(memory)
        return memory

    def started(self, execution_id: str, plan: Plan) -> None:
        """Remember an execution that was just written."""
        progress = {n: r.Progress(n, len(stage.hosts), 0, 0) for n, stage in enumerate(plan.stages)}
        self._keep(ExecutionMemory(execution_id, plan, progress))

    def forget(self, execution_id: str) -> None:
        """Drop what ended or was changed by others."""
        self._kept.pop(execution_id, None)

    def _keep(self, memory: ExecutionMemory) -> None:
        self._kept[memory.id] = memory
        self._kept.move_to_end(memory.id)
        while len(self._kept) > KEPT_EXECUTIONS:
            self._kept.popitem(last=False)


class Fleet:
    """All agents as planning sees them, with the version that a submit is guarded by."""

    MAX_AGE = 5.0

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read_at = float("-inf")
        self.version = 0
        self.agents: list[AgentRef] = []
        self.rows: dict[str, r.AgentRow] = {}

    async def fresh_enough(self) -> Fleet:
        """Read the fleet unless that happened a moment ago; the guard of a submit catches what changed since."""
        if time.monotonic() - self._read_at > self.MAX_AGE:
            await self.refresh()
        return self

    async def refresh(self) -> None:
        """Read the fleet now."""
        self.version, rows = await self._store.list_agents()
        self.rows = {row.id: row for row in rows}
        self.agents = [AgentRef(row.id, row.name, row.state, row.labels, row.facts) for row in rows]
        self._read_at = time.monotonic()

    def stale(self) -> None:
        """Read again when next asked."""
        self._read_at = float("-inf")

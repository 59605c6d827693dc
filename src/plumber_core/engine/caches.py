"""What a replica remembers to save reads. Every write is guarded against a stale memory and tried again from a fresh
read, so nothing here can make a wrong one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from plumber_core.engine.clock import monotonic
from plumber_core.errors import NotFound
from plumber_core.model import records as r
from plumber_core.model.agent import AgentRef
from plumber_core.model.limits import ALWAYS_OUT_OF_TIME, OUT_OF_TIME
from plumber_core.model.parts import TURN
from plumber_core.model.plan import Plan
from plumber_core.model.states import ExecutionState
from plumber_core.planning.advance import Advance
from plumber_core.planning.targets import Groups, Roll
from plumber_core.ports import Store

KEPT_EXECUTIONS = 2000


@dataclass(eq=False)
class ExecutionMemory:
    """A running execution: its frozen plan and the counters as last seen."""

    id: str
    plan: Plan
    progress: dict[int, r.Progress]
    cancelled: bool = False
    timed_out: bool = False
    always_cancelled: bool = False
    main_ended: bool = False
    running: bool = True
    adopted: bool = False
    """Its steps may end in any order; see ``adoption.py``."""
    round: int = 0
    """Above 0 people have moved steps by hand, so that of any stage only a part may be left."""
    resumed: int = 0
    left_out: frozenset[str] = frozenset()
    """Hosts that somebody has taken out of it."""
    paused: bool = False
    """Nothing more is started, and what has ended is looked at when it goes on."""
    holds: bool = False
    """Whether it, or any step of it, holds something that others may wait for."""

    def __post_init__(self) -> None:
        self.holds = self.plan.holds

    @property
    def asked(self) -> dict[str, bool]:
        """What was asked for, as ``planning.graph`` wants to know it."""
        return {
            "cancelled": self.cancelled,
            "timed_out": self.timed_out,
            "always_cancelled": self.always_cancelled,
        }

    def is_cancelled(self, stage: int) -> bool:
        """Say whether the steps of a stage were asked to end: those that always run only after all others have."""
        return self.always_cancelled if self.plan.part_of(stage).always else self.cancelled

    def apply(self, move: Advance) -> None:
        """Follow a change that this replica has committed."""
        if move.lane_ends:
            seen = self.progress[move.stage]
            failed, missed = seen.failed + move.failed, seen.missed + move.missed
            ended = replace(seen, remaining=seen.remaining - 1, failed=failed, missed=missed)
            self.progress[move.stage] = ended
        if move.opening is not None:
            self.reached(move.opening)

    def opened(self, stage: int, entered: r.Opening | None) -> None:
        """Follow the end of a stage's wait that this replica has committed."""
        seen, here = self.progress[stage], entered is not None and entered.stage == stage
        begun = replace(seen, waits=None, opens_at=None, control=seen.control + 1)
        self.progress[stage] = replace(begun, remaining=0)
        if entered is not None and here:
            self.progress[stage] = replace(begun, remaining=entered.lanes, missed=entered.missed)
        if entered is not None and not here:
            self.reached(entered)

    def reached(self, opens: r.Opening) -> None:
        """Follow that a stage of a rollout was reached."""
        seen = self.progress[opens.stage]
        begun = replace(seen, carried=opens.carried, remaining=opens.lanes, waits=opens.waits, missed=opens.missed)
        self.progress[opens.stage] = replace(begun, control=seen.control + 1)


def timed_out(row: r.ExecutionRow) -> bool:
    """Say whether an execution was cancelled because its time was over."""
    return row.problem is not None and row.problem.get("code") in (OUT_OF_TIME, ALWAYS_OUT_OF_TIME)


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
        loaded = await self._store.load(execution_id, None if known is None else known.plan)
        if loaded is None:
            raise NotFound(kind="execution", name=execution_id)
        if known is not None and loaded[0].round != known.round and (again := await self._store.load(execution_id)):
            # With a round the plan may be another revision's.
            loaded = again
        row, plan, stages = loaded
        memory = ExecutionMemory(row.id, plan, {p.stage: p for p in stages}, row.cancel_requested, timed_out(row))
        memory.adopted, memory.round, memory.resumed = row.adopted > 0, row.round, row.resumed
        memory.always_cancelled = row.always_cancelled
        memory.main_ended, memory.running = row.main_state is not None, row.state is ExecutionState.RUNNING
        memory.paused, memory.left_out = row.state is ExecutionState.PAUSED, row.left_out
        self._keep(memory)
        return memory

    def started(self, execution_id: str, plan: Plan, waiting: Iterable[int] = ()) -> None:
        """Remember an execution that was just written."""
        waits = dict.fromkeys(waiting, TURN)
        progress = {n: r.Progress(n, len(stage.hosts), 0, 0, waits=waits.get(n)) for n, stage in enumerate(plan.stages)}
        self._keep(ExecutionMemory(execution_id, plan, progress))

    def forget(self, execution_id: str) -> None:
        """Drop what ended or was changed by others."""
        self._kept.pop(execution_id, None)

    def forget_all(self) -> None:
        """Drop everything."""
        self._kept.clear()

    def _keep(self, memory: ExecutionMemory) -> None:
        self._kept[memory.id] = memory
        self._kept.move_to_end(memory.id)
        while len(self._kept) > KEPT_EXECUTIONS:
            self._kept.popitem(last=False)


def agent_ref(row: r.AgentRow) -> AgentRef:
    """Return an agent as planning sees it: its version is a fact, too."""
    facts = row.facts | {"version": row.version} if row.version else row.facts
    return AgentRef(row.id, row.name, row.state, row.labels, facts)


class Fleet:
    """All agents as planning sees them, with the version that a submit is guarded by."""

    MAX_AGE = 5.0

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read_at = float("-inf")
        self.version = 0
        self.agents = Roll()
        self.rows: dict[str, r.AgentRow] = {}
        self.seen: Callable[[dict[str, r.AgentRow], float], None] = lambda rows, asked: None
        """Told whenever the fleet was read, and since when (monotonic)."""

    async def fresh_enough(self) -> Fleet:
        """Read the fleet unless that happened a moment ago; the guard of a submit catches what changed since."""
        if monotonic() - self._read_at > self.MAX_AGE:
            await self.refresh()
        return self

    async def refresh(self) -> None:
        """Read the fleet now."""
        asked = monotonic()
        self.version, rows = await self._store.list_agents()
        # Read after the version: when one changes in between, the guard of a submit knows.
        groups = Groups({row.name: row.expression for row in await self._store.list_groups()})
        self.rows = {row.id: row for row in rows}
        self.agents = Roll((agent_ref(row) for row in rows), groups)
        self._read_at = monotonic()
        self.seen(self.rows, asked)

    def stale(self) -> None:
        """Read again when next asked."""
        self._read_at = float("-inf")

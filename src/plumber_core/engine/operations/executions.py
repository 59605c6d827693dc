"""``execution.*``."""

from __future__ import annotations

import asyncio
import builtins
from typing import Any

from plumber_core.engine.batches import go
from plumber_core.engine.cancel import cancel
from plumber_core.engine.cancel_some import Some, cancel_some
from plumber_core.engine.going_on import go_on
from plumber_core.engine.operations.base import clean, page_size
from plumber_core.engine.operations.executors import known_kinds
from plumber_core.engine.operations.resuming import ResumeOperations
from plumber_core.engine.operations.running import run_request, started
from plumber_core.engine.pausing import pause
from plumber_core.engine.pools import look_at_pools
from plumber_core.engine.retention import missing
from plumber_core.engine.source import Source
from plumber_core.engine.submit import submit
from plumber_core.engine.views import execution_detail, execution_summary
from plumber_core.engine.waiting import look_at_agents, look_at_holds, queued_one
from plumber_core.errors import Conflict, NotFound
from plumber_core.model.records import ExecutionRow, Wanted
from plumber_core.model.states import ExecutionState
from plumber_core.model.views import ExecutionDetail, ExecutionSummary, Page, SourceFormat
from plumber_core.planning.parse import parse_task, task_from_definition
from plumber_core.reasons import because


class ExecutionOperations(ResumeOperations):
    """Implements ``control.nouns.Executions``."""

    async def start(
        self,
        *,
        source: str,
        format: SourceFormat = "auto",
        parameters: dict[str, Any] | None = None,
        reason: str = "",
        request_id: str | None = None,
    ) -> ExecutionSummary:
        caller = await self.desk.allow("execution:start")
        # Whoever only runs commands need not wait for the fleet to be read.
        kinds = await known_kinds(self.desk) if "uses" in source else None
        parsed = await asyncio.to_thread(parse_task, source, format, kinds=kinds, channels=self.desk.plugins.notifiers)
        chosen = Source(parsed.task)
        request = run_request(caller, parameters, reason, request_id)
        execution, _ = await submit(self.engine, _always(chosen), request)
        return started(execution, chosen, request)

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
        await self.desk.allow("execution:list", task)
        size = page_size(limit)
        task_id = None
        if task is not None:
            found = await self.store.find_task(clean("task", task, 200))
            task_id = found.id if found else task
        wanted = Wanted(task_id, state, clean("search", search, 200), None if by is None else clean("by", by, 200))
        rows = await self.store.list_executions(wanted, size + 1, cursor)
        items = [execution_summary(row) for row in rows[:size]]
        return Page(items=items, next=items[-1].id if len(rows) > size else None)

    async def show(self, *, execution: str) -> ExecutionDetail:
        await self.desk.allow("execution:show", execution)
        picture = await self.store.picture(clean("execution", execution, 200))
        if picture is None:
            raise await missing(self.engine, "execution", execution)
        pools = await look_at_pools(self.engine, picture.steps)
        agents = await look_at_agents(self.engine, picture.steps)
        holds = await look_at_holds(self.engine, picture.steps, queued_one(picture.execution))
        return execution_detail(picture, pools, agents, holds)

    async def cancel(
        self,
        *,
        execution: str,
        reason: str = "",
        kill: bool = False,
        hosts: builtins.list[str] | None = None,
        step: str | None = None,
    ) -> ExecutionSummary:
        caller = await self.desk.allow("execution:cancel", execution)
        if hosts is not None or step is not None:
            named = None if hosts is None else tuple(clean("hosts", host, 200) for host in hosts)
            which = None if step is None else clean("step", step, 200)
            some = Some(named, which, caller.principal.name, clean("reason", reason.strip(), 1000), kill)
            await cancel_some(self.engine, clean("execution", execution, 200), some)
            return execution_summary((await self._load(execution))[0])
        await cancel(self.engine, clean("execution", execution, 200), kill=kill)
        data = {"by": caller.principal.name, "reason": clean("reason", reason, 1000)}
        await self.store.add_event("execution.cancel_reason", execution, None, data)
        self.engine.wakeups.changed(execution)
        row, _ = await self._load(execution)
        return execution_summary(row)

    async def pause(self, *, execution: str, reason: str = "") -> ExecutionSummary:
        caller = await self.desk.allow("execution:pause", execution)
        why = clean("reason", reason.strip(), 1000)
        await pause(self.engine, clean("execution", execution, 200), caller.principal.name, why)
        row, _ = await self._load(execution)
        return execution_summary(row)

    async def continue_(self, *, execution: str, reason: str = "") -> ExecutionSummary:
        caller = await self.desk.allow("execution:continue", execution)
        why = clean("reason", reason.strip(), 1000)
        await go_on(self.engine, clean("execution", execution, 200), caller.principal.name, why)
        row, _ = await self._load(execution)
        return execution_summary(row)

    async def go(self, *, execution: str, batch: int | None = None, reason: str = "") -> ExecutionSummary:
        caller = await self.desk.allow("execution:go", execution)
        said = {"by": caller.principal.name, "reason": clean("reason", reason, 1000)}
        row, _ = await self._load(execution)
        await go(self.engine, row.id, batch, said)
        return execution_summary(row)

    async def rerun(self, *, execution: str, reason: str = "") -> ExecutionSummary:
        caller = await self.desk.allow("execution:rerun", execution)
        row, _ = await self._load(execution)
        chosen = await self._source_of(row)
        request = run_request(caller, row.parameters, reason or f"rerun of {row.id}", None)
        new, _ = await submit(self.engine, _always(chosen), request)
        return started(new, chosen, request)

    async def _source_of(self, row: ExecutionRow) -> Source:
        """Return what an execution ran: its revision."""
        if row.task_id is None or row.revision is None:
            raise Conflict(reason=because("never_saved", task=row.task))
        found = await self.store.find_revision(row.task_id, row.revision)
        if found is None:
            raise NotFound(kind="revision", name=f"{row.task} {row.revision}", nearest=None)
        return Source(task_from_definition(found.definition), row.task_id, row.revision)


def _always(source: Source) -> Any:
    async def give(fresh: bool) -> Source:
        return source

    return give

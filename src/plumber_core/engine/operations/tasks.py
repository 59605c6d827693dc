"""``task.*``."""

from __future__ import annotations

import asyncio
import builtins
import hashlib
from typing import Any, cast

from plumber_core.closest import closest
from plumber_core.engine.operations.base import Noun, clean, page_size
from plumber_core.engine.operations.executors import known_kinds
from plumber_core.engine.operations.running import run_request, started
from plumber_core.engine.pictures import RESULTS, targets_of, task_summary
from plumber_core.engine.presence import presence
from plumber_core.engine.resume_views import difference
from plumber_core.engine.rollout_views import planned_rollouts
from plumber_core.engine.source import Source
from plumber_core.engine.submit import submit
from plumber_core.engine.views import revision_info
from plumber_core.errors import Conflict, NotFound
from plumber_core.ids import new_id
from plumber_core.model.plan import Plan
from plumber_core.model.records import RevisionRow, TaskRow
from plumber_core.model.views import (
    Done,
    ExecutionSummary,
    Page,
    PlannedHost,
    PlannedStep,
    PlanView,
    RevisionInfo,
    SourceFormat,
    TaskDetail,
    TaskDiff,
    TaskSummary,
    ValidationReport,
)
from plumber_core.planning.expand import expand, plan_hash
from plumber_core.planning.parameters import bind
from plumber_core.planning.parse import check_task, parse_task, task_from_definition
from plumber_core.planning.render import summary
from plumber_core.reasons import because


class TaskOperations(Noun):
    """Implements ``control.nouns.Tasks``."""

    async def validate(self, *, source: str, format: SourceFormat = "auto") -> ValidationReport:
        await self.desk.allow("task:validate")
        known: dict[str, Any] = {"kinds": await known_kinds(self.desk), "channels": self.desk.plugins.notifiers}
        problems = await asyncio.to_thread(check_task, source, format, **known)
        name = None if problems else parse_task(source, format).task.name
        return ValidationReport(problems=problems, name=name)

    async def apply(
        self, *, source: str, format: SourceFormat = "auto", note: str = "", expected_revision: int | None = None
    ) -> TaskDetail:
        caller = await self.desk.allow("task:apply")
        # Reading a file of the largest size takes long enough for others to notice.
        known: dict[str, Any] = {"kinds": await known_kinds(self.desk), "channels": self.desk.plugins.notifiers}
        parsed = await asyncio.to_thread(parse_task, source, format, **known)
        digest = hashlib.sha256(f"{parsed.format}\n{source}".encode()).hexdigest()
        row = RevisionRow(
            task_id=new_id(),
            number=0,
            format=parsed.format,
            source=source,
            definition=parsed.definition,
            digest=digest,
            author=caller.principal.name,
            note=clean("note", note, 1000),
            created_at=0,
        )
        saved = await self.store.save_task(row, parsed.task.name, parsed.task.description or "", expected_revision)
        if saved is None:
            raise Conflict(reason=because("saved_meanwhile", name=parsed.task.name))
        found, changed = saved
        return await self._detail(found, found.revision, changed=changed)

    async def list(self, *, search: str = "", limit: int = 50, cursor: str | None = None) -> Page[TaskSummary]:
        await self.desk.allow("task:list")
        size = page_size(limit)
        rows = await self.store.list_tasks(clean("search", search, 200), size + 1, cursor)
        shown = rows[:size]
        results = await self.store.recent_results([row["id"] for row in shown], RESULTS)
        definitions = await self.store.definitions([(row["id"], row["revision"]) for row in shown])
        items = [task_summary(row, results[row["id"]], targets_of(definitions.get(row["id"], {}))) for row in shown]
        return Page(items=items, next=items[-1].name if len(rows) > size else None)

    async def show(self, *, task: str, revision: int | None = None) -> TaskDetail:
        await self.desk.allow("task:show", task)
        row = await self.find(task)
        return await self._detail(row, row.revision if revision is None else revision)

    async def history(self, *, task: str) -> builtins.list[RevisionInfo]:
        await self.desk.allow("task:history", task)
        row = await self.find(task)
        return [revision_info(revision) for revision in await self.store.list_revisions(row.id)]

    async def diff(self, *, task: str, old: int, new: int) -> TaskDiff:
        await self.desk.allow("task:diff", task)
        row = await self.find(task)
        before, after = await self._revision(row, old), await self._revision(row, new)
        text = difference(row.name, before, after)
        return TaskDiff(task=row.name, old=old, new=new, diff=text)

    async def plan(
        self, *, task: str, parameters: dict[str, Any] | None = None, revision: int | None = None
    ) -> PlanView:
        await self.desk.allow("task:plan", task)
        source = await self._source(task, revision, fresh=True)
        await self.engine.fleet.refresh()
        values = bind(source.task.params, parameters or {})
        plan = expand(source.task, values, self.engine.fleet.agents, revision=source.revision)
        return await self._plan_view(plan)

    async def run(
        self,
        *,
        task: str,
        parameters: dict[str, Any] | None = None,
        reason: str = "",
        revision: int | None = None,
        request_id: str | None = None,
    ) -> ExecutionSummary:
        caller = await self.desk.allow("task:run", task)
        request = run_request(caller, parameters, reason, request_id)

        async def source(fresh: bool) -> Source:
            return await self._source(task, revision, fresh=fresh)

        execution, chosen = await submit(self.engine, source, request)
        return started(execution, chosen, request)

    async def delete(self, *, task: str) -> Done:
        await self.desk.allow("task:delete", task)
        row = await self.find(task)
        await self.store.delete_task(row.id)
        self.engine.sources.pop(row.id, None)
        self.engine.sources.pop(row.name, None)
        return Done()

    async def find(self, task: str) -> TaskRow:
        """Return a task by name or id.

        Raises: NotFound.
        """
        row = await self.store.find_task(clean("task", task, 200))
        if row is not None:
            return row
        names = [str(other["name"]) for other in await self.store.list_tasks("", 500, None)]
        raise NotFound(kind="task", name=task, nearest=closest(task, names))

    async def _revision(self, row: TaskRow, number: int) -> RevisionRow:
        found = await self.store.find_revision(row.id, number)
        if found is None:
            raise NotFound(kind="revision", name=str(number), nearest=None)
        return found

    async def _source(self, task: str, revision: int | None, *, fresh: bool = False) -> Source:
        """Return what to run; the newest revision comes from memory, which the write's guard checks."""
        if revision is None and not fresh and (known := self.engine.sources.get(task)) is not None:
            return known
        row = await self.find(task)
        number = row.revision if revision is None else revision
        found = await self._revision(row, number)
        source = Source(
            task=task_from_definition(found.definition),
            task_id=row.id,
            revision=number,
            current=row.revision if revision is None else None,
        )
        if revision is None:
            self.engine.sources[task] = source
        return source

    async def _detail(self, row: TaskRow, number: int, *, changed: bool = True) -> TaskDetail:
        revision = await self._revision(row, number)
        return TaskDetail(
            id=row.id,
            name=row.name,
            description=row.description,
            revision=revision_info(revision),
            format=cast(SourceFormat, revision.format),
            source=revision.source,
            definition=revision.definition,
            created=changed and number == 1,
            changed=changed,
        )

    async def _plan_view(self, plan: Plan) -> PlanView:
        now, rows = await self.store.now(), self.engine.fleet.rows

        def host(id: str) -> PlannedHost:
            seen = presence(rows[id].last_seen_at, now, self.engine.heartbeat)
            return PlannedHost(id=id, name=plan.hosts[id], presence=seen)

        steps = [
            PlannedStep(
                index=index,
                name=step.name,
                uses=step.uses,
                command=summary(step),
                path=step.path,
                env={**plan.environment, **step.env},
                timeout=step.timeout,
                hosts=[host(id) for id in plan.pool_of(index) or plan.hosts_of(index)],
                any_of=len(plan.hosts_of(index)) if plan.pool_of(index) else 0,
                always=step.always,
                when=list(step.when),
                needs=None if step.needs is None else list(step.needs),
            )
            for index, step in enumerate(plan.steps)
        ]
        return PlanView(
            task=plan.task,
            revision=plan.revision,
            parameters=plan.parameters,
            steps=steps,
            rollouts=planned_rollouts(plan),
            hash=plan_hash(plan),
        )

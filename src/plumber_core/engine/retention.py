"""Delete executions that are older than what is kept, and tell those who come for them later."""

from __future__ import annotations

from collections import Counter

from plumber_core.engine.clock import moment
from plumber_core.engine.core import Engine
from plumber_core.errors import Gone, NotFound
from plumber_core.model.records import Term

AT_ONCE = 200
DAY = 86_400.0


async def delete_old(engine: Engine, term: Term) -> int:
    """Delete all that is too old, in small transactions; return how many executions. Another leader goes on."""
    keep = engine.retention
    tasks: Counter[str] = Counter()
    while keep.days > 0:
        old = await engine.store.old_executions(keep.days * DAY, keep.last, AT_ONCE)
        if not old or not await _delete(engine, term, old):
            break
        tasks.update(task for _, task in old)
    if tasks:
        data = {"executions": tasks.total(), "days": keep.days, "last": keep.last, "tasks": dict(tasks.most_common(50))}
        await engine.store.add_event("retention.deleted", None, None, data)
        engine.counts["plumber_executions_deleted_total"] += tasks.total()
    return tasks.total()


async def _delete(engine: Engine, term: Term, old: list[tuple[str, str]]) -> bool:
    left = [execution for execution, _ in old]
    while left:
        done = await engine.store.delete_executions(term, left)
        if done is None:
            return False
        left = left[done:]
    return True


async def missing(engine: Engine, kind: str, name: str, execution: str | None = None) -> NotFound | Gone:
    """Return the error for what is not there: it was deleted, or never existed."""
    at = await engine.store.deleted_at(execution or name)
    return (
        NotFound(kind=kind, name=name)
        if at is None
        else Gone(kind=kind, name=name, at=moment(at).isoformat(" ", "seconds"))
    )

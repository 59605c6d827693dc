"""``execution.*``, the part that goes on with what has ended."""

from __future__ import annotations

import builtins

from plumber_core.engine.by_hand import Handling, take_in_hand
from plumber_core.engine.operations.base import clean
from plumber_core.engine.operations.looks import ExecutionLooks
from plumber_core.engine.resume import Request, look, resume
from plumber_core.engine.resume_views import preview
from plumber_core.engine.views import execution_summary
from plumber_core.errors import InvalidRequest
from plumber_core.model.resume_views import ResumePreview, WhichRevision
from plumber_core.model.rounds import Deed, What
from plumber_core.model.views import ExecutionSummary
from plumber_core.reasons import because


class ResumeOperations(ExecutionLooks):
    """Implements the part of ``control.nouns.Executions`` about rounds."""

    async def preview_resume(
        self,
        *,
        execution: str,
        what: What = "rest",
        hosts: builtins.list[str] | None = None,
        from_step: str | None = None,
        revision: WhichRevision = "old",
    ) -> ResumePreview:
        await self.desk.allow("execution:preview_resume", execution)
        request = _request(what, hosts, from_step, revision)
        return preview(await look(self.engine, clean("execution", execution, 200), request))

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
        caller = await self.desk.allow("execution:resume", execution)
        request = _request(what, hosts, from_step, revision, caller.principal.name, clean("reason", reason, 1000))
        await resume(self.engine, clean("execution", execution, 200), request)
        row, _ = await self._load(execution)
        return execution_summary(row)

    async def retry_step(self, *, execution: str, step: str, host: str, reason: str) -> ExecutionSummary:
        return await self._by_hand("execution:retry_step", execution, "retry", step, host, reason)

    async def skip_step(self, *, execution: str, step: str, host: str, reason: str) -> ExecutionSummary:
        return await self._by_hand("execution:skip_step", execution, "skip", step, host, reason)

    async def mark_done(self, *, execution: str, step: str, host: str, reason: str) -> ExecutionSummary:
        return await self._by_hand("execution:mark_done", execution, "done", step, host, reason)

    async def _by_hand(
        self, action: str, execution: str, deed: Deed, step: str, host: str, reason: str
    ) -> ExecutionSummary:
        caller = await self.desk.allow(action, execution)
        why = clean("reason", reason.strip(), 1000)
        if not why:
            raise InvalidRequest(field="reason", reason=because("empty"))
        where = clean("step", step, 200), clean("host", host, 200)
        handling = Handling(deed, *where, caller.principal.name, why)
        await take_in_hand(self.engine, clean("execution", execution, 200), handling)
        row, _ = await self._load(execution)
        return execution_summary(row)


def _request(
    what: What,
    hosts: builtins.list[str] | None,
    from_step: str | None,
    revision: WhichRevision,
    by: str = "",
    reason: str = "",
) -> Request:
    """Return what is asked for.

    Raises: InvalidRequest.
    """
    named = None if hosts is None else tuple(clean("hosts", host, 200) for host in hosts)
    step = None if from_step is None else clean("from_step", from_step, 200)
    return Request(what, named, step, revision, by, reason)

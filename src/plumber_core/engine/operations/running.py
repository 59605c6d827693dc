"""What ``task.run``, ``execution.start`` and ``execution.rerun`` share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from plumber_core.engine.access import Caller
from plumber_core.engine.operations.base import clean
from plumber_core.engine.source import Source
from plumber_core.engine.submit import Request
from plumber_core.model.states import ExecutionState
from plumber_core.model.views import ExecutionSummary


def run_request(caller: Caller, parameters: dict[str, Any] | None, reason: str, request_id: str | None) -> Request:
    """Return who runs something, with which parameters.

    Raises: InvalidRequest.
    """
    return Request(
        requested_by=caller.principal.name,
        credential=caller.token_hash,
        parameters=parameters,
        reason=clean("reason", reason, 1000),
        request_id=None if request_id is None else clean("request_id", request_id, 200),
    )


def started(execution: str, source: Source, request: Request) -> ExecutionSummary:
    """Show an execution that has just been written, without reading it back."""
    return ExecutionSummary(
        id=execution,
        task=source.task.name,
        task_id=source.task_id,
        revision=source.revision,
        state=ExecutionState.QUEUED if source.task.concurrency or source.task.locks else ExecutionState.RUNNING,
        requested_by=request.requested_by,
        reason=request.reason,
        created_at=datetime.now(UTC),
    )

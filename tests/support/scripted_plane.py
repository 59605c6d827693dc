"""A control plane whose one execution a test moves by hand, to watch it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from plumber_core.errors import NotFound
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.model.views import (
    AttemptView,
    Event,
    ExecutionDetail,
    ExecutionSummary,
    LogGrowth,
    LogSlice,
    StepExecutionView,
)
from plumber_core.protocol.frames import STDOUT, decode_frames, encode_frame

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class Log:
    data: bytes = b""
    complete: bool = False


@dataclass
class ScriptedPlane:
    """Implements what ``watch`` needs of ``ControlPlane``; ``hints`` False keeps log hints to itself."""

    steps: list[str]
    hosts: list[str]
    hints: bool = True
    logs: dict[str, Log] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.executions = self
        self._followers: list[asyncio.Queue[Event | LogGrowth]] = []
        self._number = itertools.count(1)
        self._rows = {
            (step, host): StepExecutionView(
                id=f"{step}@{host}", index=index, step=step, host=f"id-{host}", host_name=host, round=1,
                state=StepState.BLOCKED, uses="shell", command="true",
            )
            for index, step in enumerate(self.steps)
            for host in self.hosts
        }  # fmt: skip
        self.state = ExecutionState.RUNNING

    def start(self, step: str, host: str) -> str:
        """Start the next attempt of a step; return its id."""
        row = self._rows[step, host]
        attempt = f"{row.id}#{len(row.attempts) + 1}"
        self.logs[attempt] = Log()
        view = AttemptView(id=attempt, number=len(row.attempts) + 1, state=None, started_at=self._now())
        self._change(row, state=StepState.RUNNING, started_at=self._now(), attempts=[*row.attempts, view])
        return attempt

    def output(self, step: str, host: str, data: bytes, stream: int = STDOUT) -> None:
        """Append one frame to the log of the running attempt."""
        row = self._rows[step, host]
        log = self.logs[row.attempts[-1].id]
        log.data += encode_frame(stream, 0, data)
        if self.hints:
            self._tell(
                LogGrowth(execution="x-1", step_execution=row.id, attempt=row.attempts[-1].id, end=len(log.data))
            )

    def end(
        self,
        step: str,
        host: str,
        state: StepState = StepState.SUCCEEDED,
        *,
        exit_code: int | None = 0,
        log: bool = True,
    ) -> None:
        """End the running attempt, its log complete unless ``log`` is False."""
        row = self._rows[step, host]
        view = row.attempts[-1]
        self.logs[view.id].complete = log
        ended = view.model_copy(
            update={"state": state.value, "exit_code": exit_code, "ended_at": self._now(), "duration": 1.25}
        )
        self._change(row, state=state, ended_at=self._now(), attempts=[*row.attempts[:-1], ended])

    def settle(self, state: ExecutionState) -> None:
        """End the execution."""
        self.state = state
        self._tell(Event(id=f"{next(self._number):06}", at=self._now(), kind="execution.ended", execution="x-1"))

    async def show(self, *, execution: str) -> ExecutionDetail:
        if execution != "x-1":
            raise NotFound(kind="execution", name=execution)
        ended = self.state in (ExecutionState.SUCCEEDED, ExecutionState.FAILED, ExecutionState.CANCELLED)
        return ExecutionDetail(
            id="x-1", task="deploy-shop", task_id="t-1", revision=3, state=self.state, requested_by="admin",
            created_at=START, ended_at=START + timedelta(seconds=4) if ended else None,
            duration=4.0 if ended else None, steps=[self._seen(row) for row in self._rows.values()], event="000000",
        )  # fmt: skip

    def _seen(self, row: StepExecutionView) -> StepExecutionView:
        logs = [
            {"log_end": len(self.logs[one.id].data), "log_complete": self.logs[one.id].complete} for one in row.attempts
        ]
        attempts = [one.model_copy(update=log) for one, log in zip(row.attempts, logs, strict=True)]
        return row.model_copy(update={"attempts": attempts})

    async def cancel(self, *, execution: str, reason: str = "", kill: bool = False) -> ExecutionSummary:
        self.cancelled.append(execution)
        self.settle(ExecutionState.CANCELLED)
        return await self.show(execution=execution)

    async def read_log(
        self,
        attempt: str,
        offset: int = 0,
        limit: int = 1024 * 1024,
        *,
        line: int | None = None,
        tail: int | None = None,
    ) -> LogSlice:
        log = self.logs[attempt]
        taken = b""
        for frame in decode_frames(log.data[offset:]):
            taken += encode_frame(*frame)
            if len(taken) >= limit:
                break
        return LogSlice(attempt=attempt, offset=offset, data=taken, end=len(log.data), complete=log.complete)

    async def follow(
        self, *, execution: str | None = None, after: str | None = None
    ) -> AsyncIterator[Event | LogGrowth]:
        queue: asyncio.Queue[Event | LogGrowth] = asyncio.Queue()
        self._followers.append(queue)
        while True:
            yield await queue.get()

    @property
    def followed(self) -> bool:
        return bool(self._followers)

    def _now(self) -> datetime:
        return START + timedelta(milliseconds=next(self._number))

    def _change(self, row: StepExecutionView, **values: object) -> None:
        self._rows[row.step, row.host_name] = row.model_copy(update=values)
        self._tell(Event(id=f"{next(self._number):06}", at=self._now(), kind="step.changed", execution="x-1"))

    def _tell(self, item: Event | LogGrowth) -> None:
        for queue in self._followers:
            queue.put_nowait(item)

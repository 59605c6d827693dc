"""Printing what an execution's commands printed."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

from plumber_core.control.plane import ControlPlane
from plumber_core.errors import NotFound
from plumber_core.model.views import AttemptView, ExecutionDetail, StepExecutionView
from plumber_core.protocol.frames import STREAM_NAMES, SYSTEM, decode_frames
from plumber_core.terminal.console import out
from plumber_core.terminal.gutter import Gutter
from plumber_core.terminal.lines import Line, LineAssembler
from plumber_core.terminal.screen import PlainScreen, QuietScreen, Screen
from plumber_core.terminal.watch import watch


class LogRequest(NamedTuple):
    """What to print; empty ``host`` and ``step`` mean all, ``follow`` waits for the execution's end."""

    execution: str
    host: str = ""
    step: str = ""
    raw: bool = False
    follow: bool = False
    output: str = "table"

    def wants(self, step: StepExecutionView) -> bool:
        """Say whether a step on a host was asked for."""
        return self.host in ("", step.host, step.host_name) and self.step in ("", step.step)


async def print_logs(plane: ControlPlane, request: LogRequest) -> None:
    """Print the output of each attempt, complete.

    Raises: NotFound (the execution, or nothing of it was asked for).
    """
    detail = await plane.executions.show(execution=request.execution)
    wanted = [step for step in detail.steps if request.wants(step)]
    if not wanted:
        raise NotFound(kind="step execution", name=" ".join(part for part in (request.step, request.host) if part))
    if request.raw:
        if request.follow:
            detail = await watch(plane, request.execution, QuietScreen(), wanted=request.wants)
        await _print_raw(plane, [step for step in detail.steps if request.wants(step)])
    elif request.follow:
        await watch(plane, request.execution, _screen(request), wanted=request.wants)
    else:
        await _print_stored(plane, detail, wanted, _screen(request))


async def _print_stored(
    plane: ControlPlane, detail: ExecutionDetail, wanted: list[StepExecutionView], screen: Screen
) -> None:
    screen.begin(detail)
    for step, attempt in _attempts(wanted):
        screen.started(step)
        assembler, offset = LineAssembler(), 0
        while data := (await plane.read_log(attempt.id, offset)).data:
            offset += len(data)
            screen.lines(step, list(assembler.feed(data)), "")
        screen.lines(step, list(assembler.close()), "")
    screen.close()


async def _print_raw(plane: ControlPlane, wanted: list[StepExecutionView]) -> None:
    for _, attempt in _attempts(wanted):
        offset = 0
        while data := (await plane.read_log(attempt.id, offset)).data:
            offset += len(data)
            sys.stdout.buffer.write(b"".join(f.data for f in decode_frames(data) if f.stream != SYSTEM))
    sys.stdout.flush()


def _attempts(steps: list[StepExecutionView]) -> list[tuple[StepExecutionView, AttemptView]]:
    pairs = [(step, attempt) for step in steps for attempt in step.attempts]
    return sorted(pairs, key=lambda pair: (pair[0].index, pair[1].started_at, pair[1].number))


def _screen(request: LogRequest) -> Screen:
    return JsonScreen() if request.output == "json" else LogScreen(request)


class LogScreen(PlainScreen):
    """Output only. One step on one host has no margin, so that other programs can read it."""

    def __init__(self, request: LogRequest) -> None:
        super().__init__(out(), summarise=False)
        self._request = request
        self._bare = False

    def begin(self, detail: ExecutionDetail) -> None:
        wanted = [step for step in detail.steps if self._request.wants(step)]
        hosts = list(dict.fromkeys(step.host_name for step in wanted))
        self._bare = len(wanted) == 1
        self._gutter = Gutter(hosts, colours=self.console.color_system is not None)

    def started(self, step: StepExecutionView) -> None:
        if not self._bare:
            super().started(step)

    def lines(self, step: StepExecutionView, lines: list[Line], partial: str) -> None:
        if self._bare:
            self.write("".join(f"{self._gutter.content(line)}\n" for line in lines))
        else:
            super().lines(step, lines, partial)

    def ended(self, step: StepExecutionView, attempt: AttemptView | None, complete: bool) -> None:
        """Output only."""


class JsonScreen(QuietScreen):
    """One JSON object for each line of output."""

    def lines(self, step: StepExecutionView, lines: list[Line], partial: str) -> None:
        for line in lines:
            value = {"step": step.step, "host": step.host_name, "stream": STREAM_NAMES[line.stream], "text": line.text}
            sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        sys.stdout.flush()

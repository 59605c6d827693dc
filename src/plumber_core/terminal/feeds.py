"""One host's part of a watched execution: its attempts one after another, each with its whole log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from plumber_core.model.views import AttemptView, LogSlice, StepExecutionView
from plumber_core.terminal.lines import LineAssembler
from plumber_core.terminal.screen import Screen

LOG_GRACE = 10.0
"""Seconds without growth after which the rest of an ended attempt's log is not waited for any longer."""

ReadLog = Callable[[str, int], Awaitable[LogSlice]]


@dataclass
class Track:
    """What is known of one attempt; ``view`` is ``None`` until the execution was read after its start."""

    attempt: str
    step: StepExecutionView
    view: AttemptView | None = None
    offset: int = 0
    lines: LineAssembler = field(default_factory=LineAssembler)

    @property
    def ended(self) -> bool:
        return self.view is not None and self.view.ended_at is not None


class HostFeed:
    """Shows a host's attempts in order: the next one's output waits until the last one's log is complete."""

    def __init__(self, read_log: ReadLog, screen: Screen) -> None:
        self._read_log = read_log
        self._screen = screen
        self._tracks: dict[str, Track] = {}
        self._waiting: list[Track] = []
        self._news = asyncio.Event()
        self._over = False

    def grew(self, attempt: str, step: StepExecutionView) -> None:
        """Take the hint that an attempt's log has more bytes."""
        self._track(attempt, step)
        self._news.set()

    def saw(self, attempt: AttemptView, step: StepExecutionView) -> None:
        """Take an attempt as the execution shows it now."""
        track = self._track(attempt.id, step)
        if track.view != attempt or track.step.state != step.state:
            track.view, track.step = attempt, step
            self._news.set()

    def finish(self) -> None:
        """No attempt will be added: ``run`` returns when all are shown."""
        self._over = True
        self._news.set()

    async def run(self) -> None:
        """Show attempts as they come."""
        while True:
            while self._waiting:
                await self._show(self._waiting.pop(0))
            if self._over:
                return
            await self._next()

    def _track(self, attempt: str, step: StepExecutionView) -> Track:
        if (track := self._tracks.get(attempt)) is None:
            track = self._tracks[attempt] = Track(attempt, step)
            self._waiting.append(track)
        return track

    async def _show(self, track: Track) -> None:
        self._screen.started(track.step)
        complete = await self._drain(track)
        self._screen.lines(track.step, list(track.lines.close()), "")
        while not track.ended and not self._over:
            await self._next()
        self._screen.ended(track.step, track.view, complete)

    async def _drain(self, track: Track) -> bool:
        """Show the whole log; say whether all of it came."""
        while True:
            self._news.clear()
            piece = await self._read_log(track.attempt, track.offset)
            if piece.data:
                track.offset += len(piece.data)
                lines = list(track.lines.feed(piece.data))
                self._screen.lines(track.step, lines, track.lines.partial)
            elif piece.complete:
                return True
            elif not await self._more(track):
                return False

    async def _more(self, track: Track) -> bool:
        """Wait for news; say whether there was any, once the attempt has ended."""
        if not (track.ended or self._over):
            await self._news.wait()
            return True
        try:
            await asyncio.wait_for(self._news.wait(), LOG_GRACE)
        except TimeoutError:
            return False
        return True

    async def _next(self) -> None:
        await self._news.wait()
        self._news.clear()

"""One host's part of a watched execution: its attempts one after another, each with its whole log."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from plumber_core.model.views import AttemptView, LogSlice, StepExecutionView
from plumber_core.terminal.lines import LineAssembler
from plumber_core.terminal.screen import Screen

LOG_GRACE = 10.0
"""Seconds without growth after which the rest of an ended attempt's log is not waited for any longer."""
LOG_POLL = 0.2
ORDER_PATIENCE = 0.25
"""Seconds by which a line may be late for the sake of order."""
VIEW_PATIENCE = 1.0
"""Seconds for which an attempt that a hint names waits for the execution to be read: only then its place is known."""

_LATEST = datetime.max.replace(tzinfo=UTC)
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


def _start(track: Track) -> tuple[bool, datetime]:
    return track.view is None, track.view.started_at if track.view else _LATEST


class Order:
    """Keeps a step's heading behind what still has to be shown of the steps before it, on any host."""

    def __init__(self) -> None:
        self._unshown: Counter[int] = Counter()
        self._shown = asyncio.Condition()

    def ended(self, index: int) -> None:
        """Note that an attempt of a step has ended; the end of its output is not shown yet."""
        self._unshown[index] += 1

    async def shown(self, index: int) -> None:
        """Note that all of such an attempt was shown."""
        async with self._shown:
            self._unshown[index] -= 1
            self._shown.notify_all()

    async def wait_for_turn(self, index: int) -> None:
        """Wait until nothing of earlier steps is left to show, for ``ORDER_PATIENCE`` at most."""
        with contextlib.suppress(TimeoutError):
            async with self._shown, asyncio.timeout(ORDER_PATIENCE):
                await self._shown.wait_for(lambda: self._is_turn(index))

    def _is_turn(self, index: int) -> bool:
        return not any(count > 0 for step, count in self._unshown.items() if step < index)


class HostFeed:
    """Shows a host's attempts in order: the next one's output waits until the last one's log is complete."""

    def __init__(self, read_log: ReadLog, screen: Screen, order: Order, refresh: Callable[[], None]) -> None:
        self._read_log = read_log
        self._screen = screen
        self._order = order
        self._refresh = refresh
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
            if attempt.ended_at is not None and not track.ended:
                self._order.ended(step.index)
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
                await self._show(await self._earliest())
            if self._over:
                return
            await self._next()

    def _track(self, attempt: str, step: StepExecutionView) -> Track:
        if (track := self._tracks.get(attempt)) is None:
            track = self._tracks[attempt] = Track(attempt, step)
            self._waiting.append(track)
        return track

    async def _earliest(self) -> Track:
        """Take the attempt that started first: a hint may come before anything is known of silent ones before it."""
        if all(track.view is None for track in self._waiting):
            self._refresh()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(VIEW_PATIENCE):
                    while all(track.view is None for track in self._waiting):
                        await self._next()
        track = min(self._waiting, key=_start)
        self._waiting.remove(track)
        return track

    async def _show(self, track: Track) -> None:
        await self._order.wait_for_turn(track.step.index)
        self._screen.started(track.step)
        complete = await self._drain(track)
        self._screen.lines(track.step, list(track.lines.close()), "")
        while not track.ended and not self._over:
            await self._next()
        self._screen.ended(track.step, track.view, complete)
        if track.ended:
            await self._order.shown(track.step.index)

    async def _drain(self, track: Track) -> bool:
        """Show the whole log; say whether all of it came."""
        quiet = 0.0
        while True:
            self._news.clear()
            piece = await self._read_log(track.attempt, track.offset)
            if piece.data:
                quiet = 0.0
                track.offset += len(piece.data)
                lines = list(track.lines.feed(piece.data))
                self._screen.lines(track.step, lines, track.lines.partial)
            elif piece.complete:
                return True
            elif quiet >= LOG_GRACE:
                return False
            else:
                quiet += await self._pause(track)

    async def _pause(self, track: Track) -> float:
        """Wait until there may be more; return the seconds waited that count against the grace."""
        if not (track.ended or self._over):
            await self._news.wait()
            return 0.0
        # The rest of an ended attempt's log comes without an event when the execution has ended too.
        try:
            async with asyncio.timeout(LOG_POLL):
                await self._news.wait()
        except TimeoutError:
            return LOG_POLL
        return 0.0

    async def _next(self) -> None:
        await self._news.wait()
        self._news.clear()

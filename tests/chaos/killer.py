"""Carries out a plan: each blow falls at its moment, and is undone at its end, beside the others."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future

from chaos.plan import Blow
from chaos.world import World, send
from support.programs import CallFailed

Undo = Callable[[], None] | None
"""Undoes a blow, however long that takes."""


class Killer:
    """A thread; ``stop`` ends it and heals everything. ``done`` counts blows by kind, ``spared`` those that hit nothing
    because it was hurt already."""

    def __init__(self, world: World, blows: list[Blow], cancel: Callable[[], None]) -> None:
        self._world, self._blows, self._cancel = world, blows, cancel
        self._stopping = threading.Event()
        self._undo: list[tuple[float, int, Callable[[], None]]] = []
        self._healing: list[Future[None]] = []
        self._numbers = itertools.count()
        self._hurt: set[tuple[str, int]] = set()
        self.done: Counter[str] = Counter()
        self.spared = 0
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._guarded)
        self._acts: dict[str, Callable[[Blow], Undo]] = {
            "kill link": self._kill_link,
            "freeze link": self._freeze_link,
            "kill supervisor": self._kill_supervisor,
            "freeze supervisor": self._freeze_supervisor,
            "kill server": self._kill_server,
            "freeze server": self._freeze_server,
            "kill postgres": self._kill_postgres,
            "restart postgres": self._restart_postgres,
            "partition": self._partition,
            "break connections": self._break_connections,
            "cancel": self._cancel_something,
            "failover": self._fail_over,
        }
        self._targets = {kind: kind.partition(" ")[2] for kind in self._acts} | {
            "partition": "line",
            "failover": "postgres",
        }

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let no further blow fall, and undo what was done.

        Raises: whatever kept a blow from falling or from being undone.
        """
        self._stopping.set()
        self._thread.join()
        for healing in self._healing:
            healing.result()
        if self.failure is not None:
            raise self.failure

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.failure = error
        finally:
            while self._undo:
                self._heal()

    def _heal(self) -> None:
        self._healing.append(self._world.hands.submit(heapq.heappop(self._undo)[2]))

    def _run(self) -> None:
        for blow in self._blows:
            self._wait(blow.pause)
            # One failover is planned, so it must happen.
            while blow.kind == "failover" and self._is_hurt(blow) and not self._stopping.is_set():
                self._wait(0.2)
            if self._stopping.is_set():
                return
            self._strike(blow)

    def _hit(self, blow: Blow) -> tuple[str, int]:
        return self._targets[blow.kind], blow.target

    def _is_hurt(self, blow: Blow) -> bool:
        return self._hit(blow) in self._hurt

    def _strike(self, blow: Blow) -> None:
        hit = self._hit(blow)
        if self._is_hurt(blow):
            self.spared += 1
            return
        undo = self._acts[blow.kind](blow)
        self.done[blow.kind] += 1
        if undo is None:
            return
        self._hurt.add(hit)

        def healed() -> None:
            undo()
            self._hurt.discard(hit)

        heapq.heappush(self._undo, (time.monotonic() + blow.seconds, next(self._numbers), healed))

    def _wait(self, seconds: float) -> None:
        """Wait for the next blow's moment, and begin to heal what is due meanwhile."""
        end = time.monotonic() + seconds
        while not self._stopping.is_set():
            due = min(end, self._undo[0][0]) if self._undo else end
            if self._stopping.wait(max(0.0, due - time.monotonic())):
                return
            while self._undo and self._undo[0][0] <= time.monotonic():
                self._heal()
            if time.monotonic() >= end:
                return

    def _kill_link(self, blow: Blow) -> Undo:
        agent = self._world.agents[blow.target]
        agent.process.kill()
        return agent.restart

    def _freeze_link(self, blow: Blow) -> Undo:
        process = self._world.agents[blow.target].process
        process.send(signal.SIGSTOP)
        return lambda: process.send(signal.SIGCONT)

    def _kill_supervisor(self, blow: Blow) -> Undo:
        send(self._world.supervisor(blow.target), signal.SIGKILL)
        return None

    def _freeze_supervisor(self, blow: Blow) -> Undo:
        pid = self._world.supervisor(blow.target)
        send(pid, signal.SIGSTOP)
        return lambda: send(pid, signal.SIGCONT)

    def _kill_server(self, blow: Blow) -> Undo:
        server = self._world.servers[blow.target]
        self._world.down.add(blow.target)
        server.process.kill()

        def restart() -> None:
            # While the database is away no server can start.
            while not self._world.started(server):
                threading.Event().wait(1.0)
            self._world.down.discard(blow.target)

        return restart

    def _freeze_server(self, blow: Blow) -> Undo:
        process = self._world.servers[blow.target].process
        self._world.down.add(blow.target)
        process.send(signal.SIGSTOP)

        def wake() -> None:
            process.send(signal.SIGCONT)
            self._world.down.discard(blow.target)

        return wake

    def _kill_postgres(self, blow: Blow) -> Undo:
        database = self._world.database.current
        database.kill()
        return database.restart

    def _restart_postgres(self, blow: Blow) -> Undo:
        return self._world.database.current.restart

    def _fail_over(self, blow: Blow) -> Undo:
        return self._world.database.fail_over

    def _partition(self, blow: Blow) -> Undo:
        lines = self._world.lines[blow.target]
        for line in lines:
            line.hold()

        def heal() -> None:
            for line in lines:
                line.release()

        return heal

    def _break_connections(self, blow: Blow) -> Undo:
        for line in self._world.lines[blow.target]:
            line.cut()
        return None

    def _cancel_something(self, blow: Blow) -> Undo:
        with contextlib.suppress(CallFailed, OSError):
            self._cancel()
        return None

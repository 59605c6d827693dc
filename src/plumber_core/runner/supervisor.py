"""The supervisor: owns the commands of one agent, outlives its link, keeps their journal.

One thread, standard library only, no asyncio: it idles in a few megabytes next to every agent. The link asks over a
unix socket (``wire.py``); what it is told and what it learns goes into the journal first (``book.py``).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plumber_core.crash import crash_point
from plumber_core.runner.attempt import Running
from plumber_core.runner.beginnings import Beginnings
from plumber_core.runner.book import Book
from plumber_core.runner.channel import Channel
from plumber_core.runner.custody import Custody
from plumber_core.runner.growth import Growth
from plumber_core.runner.journal import NOBODY, encode_record
from plumber_core.runner.keeper import Keeper
from plumber_core.runner.kept import MOST_BYTES
from plumber_core.runner.ledger import Entry
from plumber_core.runner.machine import Machine
from plumber_core.runner.process import CannotStart
from plumber_core.runner.recovery import recover
from plumber_core.runner.requests import Refusal, checked, named
from plumber_core.runner.restarts import Ended, Restarts
from plumber_core.runner.wire import JOURNAL_NAME, SPOOL_NAME, WIRE_VERSION, Message
from plumber_core.version import __version__

if TYPE_CHECKING:
    import socket

PERMIT_SLACK = 1.0
"""Seconds that may pass between the receipt of a permit that is still good and the start."""
MAX_DETAIL = 1000
RETRY_WRITE = 0.25
SPOOL_CAP = 64 * 1024 * 1024


class Supervisor:
    """Everything behind the socket. ``run`` returns when it has neither link nor command any more.

    Args:
        folder: the agent's state folder, absolute.
        listener: the bound unix socket.
        idle_exit: seconds to stay without link and command, until a link says otherwise.
        machine: its clock, disk and processes.

    Raises:
        OSError: the journal cannot be read or written.
    """

    def __init__(self, folder: str, listener: socket.socket, idle_exit: float, machine: Machine) -> None:
        self._spool = f"{folder}/{SPOOL_NAME}"
        self._clock, self._disk, self._processes = machine
        self._boot = self._clock.boot_id()
        self._book = Book(f"{folder}/{JOURNAL_NAME}", self._disk, self._clock)
        self._reactor = self._processes.reactor(self._reap)
        self._custody = Custody(
            self._reactor, folder, machine, lambda run: self._growth.note(run), self._reaped, self._ended
        )
        self._growth = Growth(self._custody.live, self._tell)
        self._restarts = Restarts()
        self._beginnings = Beginnings(self._book)
        self._link: Channel | None = None
        self._cap = SPOOL_CAP
        self._durable_now = self._leaving = False
        self._idle_exit, self._idle_since = idle_exit, self._clock.boottime()
        self._unwritten: list[Ended] = []
        self._keeper = Keeper(self._book, self._custody.spares, self._spool, machine)
        self._verbs: dict[str, Callable[[Message], Any]] = {
            "inventory": self._inventory,
            "revive": self._keeper.revive,
            "spawn": self._spawn,
            "void": self._void,
            "cancel": self._cancel,
            "forget": self._forget,
            "trim": self._trim,
            "renewed": self._renewed,
            "make_room": lambda _: self._keeper.make_room(),
            "durable": self._durable,
            "shutdown": self._shutdown,
        }
        self._listener = listener
        listener.setblocking(False)
        self._reactor.add(listener.fileno(), self._accept)
        self._restarts.resume(recover(self._book, self._spool, self._boot, machine))

    def run(self) -> None:
        """Serve until there is nothing left to do."""
        while self.turn():
            pass

    def turn(self) -> bool:
        """Wait for something to do and do it; False when there is nothing left to do, ever."""
        if self._may_leave():
            self._book.sync()
            crash_point("supervisor.last_synced")
            self._keeper.tidy()
            return False
        self._reactor.turn(self.deadline() - self._clock.boottime())
        now = self._clock.boottime()
        self._custody.tick(now)
        self._tell_starts(now)
        self._unwritten += self._restarts.overdue(now)
        self._write_ends()
        self._growth.tell(now, self._link)
        if self._custody.starved:
            self._keeper.make_room()
        if self._book.tick(now):
            self._keeper.tidy()
        self._book.compact(busy=bool(self._custody.live))
        return True

    def leave(self) -> None:
        """Take no more work: ``run`` returns when the last command has ended."""
        self._leaving = True

    def _reap(self) -> None:
        self._custody.reap()

    def _may_leave(self) -> bool:
        if self._custody.live or self._unwritten:
            self._idle_since = self._clock.boottime()
            return False
        if self._leaving:
            return True
        return self._link is None and self._clock.boottime() >= self._idle_since + self._idle_exit

    def deadline(self) -> float:
        """Return when ``turn`` has something to do by itself (boot clock)."""
        now = self._clock.boottime()
        deadlines = [self._custody.deadline(now), self._book.deadline(), self._beginnings.deadline()]
        deadlines += [self._growth.deadline(), self._restarts.deadline()]
        if self._unwritten:
            deadlines.append(now + RETRY_WRITE)
        if self._link is None and not self._custody.live:
            deadlines.append(self._idle_since + self._idle_exit)
        return min(deadlines)

    # The link

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        Channel(connection, self._reactor, self._asked, self._hung_up)

    def _hung_up(self, channel: Channel) -> None:
        if channel is self._link:
            self._link = None
            self._durable_now = True
            self._idle_since = self._clock.boottime()

    def _asked(self, channel: Channel, message: Message) -> None:
        verb = message.get("do")
        try:
            if verb == "attach":
                answer = self._attach(channel, message)
            elif channel is not self._link:
                raise Refusal("fenced", "a newer link has attached")
            elif verb in self._verbs:
                answer = self._verbs[verb](message)
            else:
                raise Refusal("unknown_verb", str(verb))
        except Refusal as refusal:
            channel.send({"id": message.get("id"), "error": refusal.args[0], "detail": refusal.args[1]})
        except (KeyError, TypeError, AttributeError) as error:
            channel.send({"id": message.get("id"), "error": "bad_request", "detail": repr(error)})
        else:
            if "id" in message and answer is not None:
                # What follows on a start is told soon: the link need not wake up for both.
                channel.send({"id": message["id"], "answer": answer}, soon=verb == "spawn" and str(answer) == "spawned")

    def _tell(self, **message: Any) -> None:
        if self._link is not None:
            self._link.send(message)

    def _attach(self, channel: Channel, message: Message) -> Message:
        """Fence: from now on nobody but this link is listened to."""
        number = self._book.ledger.attached + 1
        self._book.note({"attempt": NOBODY, "kind": "attach", "number": number})
        with contextlib.suppress(OSError):  # a full disk must not keep away who can empty it
            self._book.sync()
        crash_point("supervisor.attached")
        previous, self._link = self._link, channel
        channel.number = number
        if previous is not None:
            previous.close()
        self._idle_exit = message.get("idle_exit", self._idle_exit)
        self._cap = message.get("spool_cap", self._cap)
        self._book.ledger.kept.limit = message.get("keep", MOST_BYTES)
        self._durable_now = self._leaving = False
        versions = {"version": WIRE_VERSION, "release": __version__}
        return {"number": number, "pid": os.getpid(), "boot_id": self._boot, **versions}

    # The verbs

    def _write(self, *records: dict[str, Any], durable: bool = False) -> None:
        try:
            self._book.write(*records)
            if durable:
                self._book.sync()
        except OSError as error:
            raise Refusal("spool_unwritable", error.strerror or str(error)) from error

    def _inventory(self, _: Message) -> list[dict[str, Any]]:
        for run in self._custody.live.values():
            self._book.ledger.entries[run.attempt].end = run.log.end
        return [entry.view() for entry in self._book.ledger.entries.values()]

    def _spawn(self, message: Message) -> str:
        """Permit, journal, start: nothing may come between the last look at the permit and the start."""
        # What should have ended while this process stood still ends first.
        self._custody.tick(self._clock.boottime())
        attempt, command = named(message), checked(message["command"])
        if self._book.ledger.knows(attempt):
            return "known"
        if self._too_old(message, 0.0):
            return self._stale(attempt)
        meta = Restarts.begin(command, message["meta"], self._clock.boottime(), self._clock.wall())
        begin = {"attempt": attempt, "kind": "spawning", "boot": self._boot, "meta": meta}
        run = self._prepare(attempt, command, len(encode_record(begin)))
        try:
            self._write(begin)
        except Refusal:
            self._custody.abandon(run)
            raise
        crash_point("supervisor.spawning_written")
        if self._too_old(message, PERMIT_SLACK):
            self._custody.abandon(run)
            return self._stale(attempt)
        if meta is not message["meta"] and (reason := self._book.made_durable()):
            return self._not_started(run, "cannot_start", reason)
        return self._start(run, command)

    def _too_old(self, message: Message, slack: float) -> bool:
        until = message.get("permit_until")
        return until is not None and self._clock.boottime() > until + slack

    def _stale(self, attempt: str) -> str:
        self._write_void(attempt)
        return "stale"

    def _prepare(self, attempt: str, command: dict[str, Any], begin: int) -> Running:
        try:
            return self._prepared(attempt, command, begin)
        except Refusal:
            if not self._keeper.make_room():
                raise
            return self._prepared(attempt, command, begin)

    def _prepared(self, attempt: str, command: dict[str, Any], begin: int) -> Running:
        if not self._book.journal.has_room(len(self._custody.live), begin):
            raise Refusal("spool_unwritable", "no room for the outcome")
        try:
            return self._custody.prepare(attempt, command, self._cap)
        except OSError as error:
            raise Refusal("spool_unwritable", error.strerror or str(error)) from error

    def _start(self, run: Running, command: dict[str, Any]) -> str:
        try:
            self._custody.start(run, command)
        except CannotStart as error:
            return self._not_started(run, error.code, error.detail)
        except OSError as error:
            return self._not_started(run, "cannot_start", error.strerror or str(error))
        crash_point("supervisor.spawned")
        self._beginnings.add(run)
        return "spawned"

    def _not_started(self, run: Running, code: str, detail: str) -> str:
        """Record why; the event follows the answer."""
        self._custody.abandon(run)
        failed = {"state": "failed", "error": code, "detail": detail[:MAX_DETAIL]}
        self._unwritten.append(Ended(run.attempt, run.log.end, failed))
        self._record_end(self._unwritten[-1])
        return "failed"

    def _tell_starts(self, now: float) -> None:
        for run in self._beginnings.due(now):
            self._custody.settle_in(run)
            self._beginnings.note(run)
            self._tell(event="started", attempt=run.attempt, pid=run.pid)

    def _void(self, message: Message) -> str:
        attempt = named(message)
        entry = self._book.ledger.entries.get(attempt)
        if entry is not None and entry.state == "void":
            return "void"
        if self._book.ledger.knows(attempt):
            return "known"
        self._write_void(attempt)
        return "void"

    def _write_void(self, attempt: str) -> None:
        self._write({"attempt": attempt, "kind": "void", "boot": self._boot})
        crash_point("supervisor.void_written")
        self._write(durable=True)
        crash_point("supervisor.void_synced")

    def _cancel(self, message: Message) -> bool:
        run = self._custody.live.get(message["attempt"])
        if run is not None:
            self._custody.cancel(run, message.get("grace"), bool(message.get("kill")))
        elif (waited := self._restarts.cancelled(message["attempt"])) is not None:
            self._unwritten.append(waited)
        return True

    def _forget(self, message: Message) -> bool:
        attempt = message["attempt"]
        if attempt in self._custody.live:
            raise Refusal("still_running", attempt)
        if attempt in self._book.ledger.entries:
            self._write({"attempt": attempt, "kind": "forgotten", "at": self._clock.wall()})
            crash_point("supervisor.forgotten_written")
            self._keeper.settled = True
            self._book.sync_soon()
        return True

    def _trim(self, message: Message) -> bool:
        attempt = message["attempt"]
        end = self._custody.acknowledged(attempt, message["end"], bool(message.get("now")))
        run = self._custody.live.get(attempt)
        if end and run is not None:
            self._write({"attempt": attempt, "kind": "trimmed", "end": run.log.acked}, durable=True)
            crash_point("supervisor.trim_written")
            run.log.give_back(end)
            crash_point("supervisor.trimmed")
        return True

    def _durable(self, message: Message) -> bool:
        self._durable_now = bool(message["now"])
        if self._durable_now:
            self._write(durable=True)
            crash_point("supervisor.durable_synced")
        return True

    def _renewed(self, message: Message) -> bool:
        self._custody.renewed(float(message["at"]))
        return True

    def _shutdown(self, message: Message) -> bool:
        self._leaving = True
        if message.get("kill"):
            for run in list(self._custody.live.values()):
                self._custody.cancel(run, message.get("grace"), kill=False)
        return True

    # What the commands do

    def _reaped(self, run: Running) -> None:
        """Keep the outcome of a command whose output is still awaited: we might die before it is drained."""
        if self._beginnings.drop(run.attempt):
            self._tell(event="started", attempt=run.attempt, pid=run.pid)
        if run.log.blocked or self._restarts.expects(self._entry(run), run.result()):
            return  # bytes that the disk refuses would be lost with us, and the log would seem to be whole
        try:
            self._book.write({"attempt": run.attempt, "kind": "reaped", "exit": run.result()})
        except OSError:
            return
        self._book.sync_soon()
        crash_point("supervisor.reaped_written")

    def _ended(self, run: Running, result: dict[str, Any]) -> None:
        self._growth.drop(run.attempt)
        told = not self._beginnings.drop(run.attempt)
        self._entry(run).end = run.log.end
        if not self._restarts.waits(self._entry(run), result):
            self._unwritten.append(Ended(run.attempt, run.log.end, result))
            self._write_ends()
        elif not told:
            self._tell(event="started", attempt=run.attempt, pid=run.pid)

    def _entry(self, run: Running) -> Entry:
        return self._book.ledger.entries[run.attempt]

    def _write_ends(self) -> None:
        """Write exits, then tell them; what the disk refuses is tried again at the next turn."""
        while self._unwritten and self._record_end(self._unwritten[0]):
            ended = self._unwritten.pop(0)
            self._tell(event="exited", record=self._book.ledger.entries[ended.attempt].view())

    def _record_end(self, ended: Ended) -> bool:
        try:
            if self._book.ledger.entries[ended.attempt].exit is None:
                self._book.write({**ended._asdict(), "kind": "exit"})
                crash_point("supervisor.exit_written")
            if self._durable_now:
                self._book.sync()
                crash_point("supervisor.end_synced")
        except OSError:
            self._keeper.make_room()
            return False
        self._book.sync_soon()
        return True

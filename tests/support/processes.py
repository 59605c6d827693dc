"""Real programs for tests: started, watched and ended, with their output shown when a test fails."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from support.waiting import Overdue, wait_until_sync

PROGRAMS = Path(sys.executable).parent
_SHOWN = 20_000
# A shell's background jobs ignore SIGINT, and hand that on to all they start: Ctrl-C would reach no program here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Process:
    """A started program. Its output, both streams, goes to the file ``log``."""

    def __init__(self, name: str, command: Sequence[str | Path], *, log: Path, env: Mapping[str, str]) -> None:
        self.name, self.log = name, log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=log.parent,
                env=dict(env),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._popen.poll()

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for_output(self, text: str, timeout: float = 10.0) -> None:
        """Wait until the output contains ``text``.

        Raises: Overdue.
        """
        wait_until_sync(lambda: text in self.output(), timeout, f"{self.name} to print {text!r}")

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def wait(self, timeout: float = 10.0) -> int:
        """Wait for the end and return the exit code.

        Raises: Overdue.
        """
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Overdue(f"waited {timeout:g} s for {self.name} to end") from None

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._popen.kill()
        self._popen.wait()

    def stop(self, timeout: float = 10.0) -> int:
        """Ask it to end, wait for that and return the exit code.

        Raises: Overdue.
        """
        self.send(signal.SIGTERM)
        return self.wait(timeout)


class Processes:
    """All programs of one test, in a folder of their own; ``close`` leaves none behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[Process] = []

    def start(self, name: str, command: Sequence[str | Path], **env: str) -> Process:
        """Start ``command`` with ``env`` beside a minimal environment.

        The name shows in failures, and the output goes to ``<folder>/<name>.log``.
        """
        process = Process(name, command, log=self.folder / f"{name}.log", env={**self._environment(), **env})
        self._started.append(process)
        return process

    def logs(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the end of the output of each program."""
        for name, log in {process.name: process.log for process in self._started}.items():
            yield name, log.read_text(errors="replace")[-_SHOWN:]

    def close(self) -> None:
        """Kill what still runs, and whatever belongs to the folder: supervisors and their commands too."""
        for process in self._started:
            if process.exit_code is None:
                process.kill()
        kill_those_of(self.folder)

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.folder),
        }


def those_of(folder: Path) -> list[psutil.Process]:
    """Return the processes that work in ``folder`` or name it in their command line (not this one)."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _is_of(process, folder)]


def kill_those_of(folder: Path) -> None:
    """Kill them until none is left: a supervisor may be starting another meanwhile.

    Raises: Overdue.
    """

    def none_left() -> bool:
        found = those_of(folder)
        for process in found:
            _kill(process)
        return not found

    wait_until_sync(none_left, 10, f"all processes of {folder} to end")


def _is_of(process: psutil.Process, folder: Path) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        places = [process.cwd(), *process.cmdline()]
    except psutil.Error:
        return False
    return any(f"{folder}/" in f"{place}/" for place in places)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return

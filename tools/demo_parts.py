"""What the demo is made of: its folder on disk, and programs that end with it."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from plumber_client import config
from plumber_client.config import Profile
from plumber_core.terminal.language import _

PROGRAMS = Path(sys.executable).parent
_PR_SET_PDEATHSIG = 1


class DemoError(Exception):
    """Why the demo cannot go on, with what to do."""


def clean_environment() -> dict[str, str]:
    """Return the environment without what would steer Plumber elsewhere: another database, server or proxy."""
    ours = ("PLUMBER_", "DATABASE_URL", "SERVER_PORT", "DEBUG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


class Home:
    """The demo's folder: database, password, agents, the CLI's configuration and logs. A second run finds them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "plumber.db"
        self.agents = folder / "agents"
        self.cli = folder / "cli"
        self._password = folder / "password"
        self._lock: IO[str] | None = None
        self._is_open = False

    def open(self) -> None:
        """Make the folder, or find it; start anew where a part of it was lost.

        Raises: DemoError (another demo runs in it).
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(
                _("Another demo is running in {folder}. End it with Ctrl-C first.", folder=self.folder)
            ) from None
        self._is_open = True
        self.kill_what_is_left()
        if not (self.database.exists() and self._password.exists()):
            self._start_anew()

    def kill_what_is_left(self) -> None:
        """Kill what outlives an agent: supervisors and commands. Another demo's are left alone."""
        if self._is_open:
            kill_family(self.agents)

    def password(self) -> str:
        return self._password.read_text().strip()

    def profile(self) -> Profile:
        """Return the server and the credential that the demo's CLI remembers."""
        return config.stored({"PLUMBER_CONFIG_DIR": str(self.cli)})

    def tail(self, name: str, lines: int = 20) -> str:
        """Return the last lines of a program's log."""
        return "\n".join((self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])

    def _start_anew(self) -> None:
        for folder in (self.agents, self.cli):
            shutil.rmtree(folder, ignore_errors=True)
        for file in self.folder.glob("plumber.db*"):
            file.unlink()
        self._password.unlink(missing_ok=True)
        self._password.touch(0o600)
        self._password.write_text(f"{secrets.token_urlsafe(12)}\n")


class Programs:
    """Programs that run beside the demo, each with its log in the demo's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str | Path], **env: str) -> None:
        """Start a program in a session of its own, so that Ctrl-C reaches it through ``end`` only."""
        with (self._folder / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**clean_environment(), **env},
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    def ended(self) -> str | None:
        """Return the name of a program that is no longer running."""
        return next((name for name, program in self._running.items() if program.poll() is not None), None)

    def end(self, names: Sequence[str], seconds: float) -> None:
        """Ask programs to end, and wait for that at most so long; kill those that did not."""
        programs = [self._running.pop(name) for name in names if name in self._running]
        for program in programs:
            program.terminate()
        end = time.monotonic() + seconds
        for program in programs:
            try:
                program.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()

    @property
    def names(self) -> list[str]:
        return list(self._running)


def _end_with_parent() -> None:
    # A killed demo must not leave a server on the port that the next one wants.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def run_quietly(command: Sequence[str], env: Mapping[str, str], stdin: str = "") -> str:
    """Run one of Plumber's programs and return what it prints.

    Raises: DemoError (it failed; with what it said).
    """
    result = subprocess.run(
        [PROGRAMS / command[0], *command[1:]], input=stdin, capture_output=True, text=True, env=env, check=False
    )
    if result.returncode:
        said = result.stderr or result.stdout
        raise DemoError(_("{command} failed:", command=shlex.join(command)) + f"\n{said}".rstrip())
    return result.stdout


class Cli:
    """The ``plumber`` command, logged in to the demo's server."""

    def __init__(self, config_dir: Path) -> None:
        self._env = {**clean_environment(), "PLUMBER_CONFIG_DIR": str(config_dir)}

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run a command quietly and return what it prints.

        Raises: DemoError.
        """
        return run_quietly(["plumber", *arguments], self._env, stdin)

    def ask(self, *arguments: str) -> Any:
        """Run a command and return its JSON answer.

        Raises: DemoError.
        """
        return json.loads(self.run(*arguments, "-o", "json"))

    def show(self, *arguments: str) -> int:
        """Run a command in this terminal, after printing it, and return its exit code."""
        print(f"\n$ plumber {' '.join(arguments)}", flush=True)
        return subprocess.run([PROGRAMS / "plumber", *arguments], env=self._env, check=False).returncode


def unexpected_end(name: str, home: Home) -> DemoError:
    """Return the error that a program is no longer there, with the last that it said."""
    return DemoError(_("{name} ended unexpectedly:", name=name) + f"\n{home.tail(name)}")


def wait_until(happened: Callable[[], bool], what: str, programs: Programs, home: Home, seconds: float = 30) -> None:
    """Wait for something that the programs bring about.

    Raises: DemoError (a program ended, or it takes too long).
    """
    end = time.monotonic() + seconds
    while not happened():
        if name := programs.ended():
            raise unexpected_end(name, home)
        if time.monotonic() > end:
            logs = "\n".join(f"--- {name}\n{home.tail(name)}" for name in programs.names)
            raise DemoError(
                _("Waited {seconds} s for {what} in vain.", seconds=round(seconds), what=what) + f"\n{logs}"
            )
        time.sleep(0.1)


def kill_family(folder: Path) -> None:
    """Kill every process that works in ``folder`` or names it, with all its children: supervisors, their commands."""
    for _attempt in range(20):
        found = set(_family(folder))
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return
        time.sleep(0.02)


def _family(folder: Path) -> Iterator[int]:
    parents = {pid: parent for pid in _pids() if (parent := _parent(pid)) is not None}
    found = {pid for pid in parents if pid != os.getpid() and _belongs(pid, folder)}
    for pid in parents:
        above: int | None = pid
        while above is not None and above not in found:
            above = parents.get(above)
        if above is not None:
            yield pid


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int | None:
    """Return the parent of a living process; None for the dead."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state == "Z" else int(parent)


def _belongs(pid: int, folder: Path) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        places = [str(Path(f"/proc/{pid}/cwd").readlink()), *(os.fsdecode(argument) for argument in arguments)]
    except OSError:
        return False
    return any(f"{place}/".startswith(f"{folder}/") for place in places)

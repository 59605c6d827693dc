"""How a link comes by its supervisor: the lock that only one link holds, and the start of the process."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import os
import select
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from plumber_core.crash import CRASH_AT, FREEZE_AT
from plumber_core.errors import LinkBusy, Unavailable
from plumber_core.runner.clock import BOOT_ID_FILE
from plumber_core.runner.wire import LINK_LOCK, LOG_NAME, SOCKET_NAME, SPOOL_NAME

START_LIMIT = 20.0
"""Seconds; a start takes 0.1, recovery of a large spool on a loaded machine more."""
_MAIN = Path(__file__).with_name("supervisor_main.py")
_PASSED_ON = ("PATH", "TZ", CRASH_AT, FREEZE_AT, BOOT_ID_FILE)


class Launcher:
    """How a link reaches its supervisor; the simulator has its own."""

    def prepare(self, state_dir: Path) -> Path:
        """See ``prepare_folder``."""
        return prepare_folder(state_dir)

    def lock(self, folder: Path) -> Callable[[], None]:
        """Become the folder's one link; return what ends that. Raises: LinkBusy."""
        return functools.partial(os.close, lock_link(folder))

    async def connect(self, folder: Path, protocol: Callable[[], asyncio.Protocol]) -> bool:
        """Connect a protocol to the folder's supervisor; False when there is none."""
        connection = connect(folder)
        if connection is None:
            return False
        connection.setblocking(False)
        await asyncio.get_running_loop().create_unix_connection(protocol, sock=connection)
        return True

    async def start(self, folder: Path, idle_exit: float) -> None:
        """See ``start_supervisor``."""
        await asyncio.to_thread(start_supervisor, folder, idle_exit)


LAUNCHER = Launcher()


def prepare_folder(folder: Path) -> Path:
    """Make the state folder, for this user only, and return its real path."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = folder.resolve()
    folder.chmod(0o700)
    (folder / SPOOL_NAME).mkdir(mode=0o700, exist_ok=True)
    return folder


def lock_link(folder: Path) -> int:
    """Return the descriptor that makes this process the folder's one link for as long as it is open.

    Raises:
        LinkBusy: another process, or another client in this one, is.
    """
    fd = os.open(folder / LINK_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(fd, 32).decode().strip()
        os.close(fd)
        raise LinkBusy(pid=int(holder or 0), folder=str(folder)) from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def connect(folder: Path) -> socket.socket | None:
    """Return a connection to the folder's supervisor, or None when there is none.

    The path goes through a descriptor, because a socket's name is at most 108 bytes long.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{handle}/{SOCKET_NAME}")
    except OSError:
        connection.close()
        return None
    finally:
        os.close(handle)
    return connection


def start_supervisor(folder: Path, idle_exit: float) -> None:
    """Start a supervisor and wait until it listens, or has found another one that does.

    Raises:
        Unavailable: it did not come up; its log says why.
    """
    reading, writing = os.pipe()
    log = os.open(folder / LOG_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        pid = _spawn([str(folder), str(idle_exit)], writing, log)
    finally:
        os.close(writing)
        os.close(log)
    try:
        answer = _first_line(reading)
    finally:
        os.close(reading)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    if answer not in (b"ready\n", b"busy\n"):
        raise Unavailable(reason=f"the supervisor did not start, see {folder / LOG_NAME}")


def _spawn(arguments: list[str], output: int, log: int) -> int:
    """Start the interpreter bare: no site, no environment, so that nothing heavy and no secret gets in."""
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", "-X", "utf8", str(_MAIN), *arguments],
        {name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
        ],
        setsigmask=(),
    )


def _first_line(fd: int) -> bytes:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return os.read(fd, 64) if poll.poll(START_LIMIT * 1000) else b""

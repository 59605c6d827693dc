"""The supervisor's process, started by file path: ``python -I -S supervisor_main.py FOLDER IDLE_EXIT``.

Writes one line to standard output, ``ready`` or ``busy`` (another one lives), and leaves the terminal, the session
and the folder of whoever started it. Standard error stays: it is the log.
"""

# The supervisor does not load pathlib: memory.
# ruff: noqa: PTH100, PTH103, PTH108, PTH120, PTH208
from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import contextlib
import ctypes
import fcntl
import signal
import socket

from plumber_core.runner.machine import this_machine
from plumber_core.runner.supervisor import Supervisor
from plumber_core.runner.wire import SOCKET_NAME, SPOOL_NAME, SUPERVISOR_LOCK

_SET_CHILD_SUBREAPER = 36


def main(folder: str, idle_exit: float) -> None:
    """Become the supervisor of ``folder`` and return when it has nothing left to do."""
    os.setsid()
    if os.fork():
        os._exit(0)
    close_inherited()
    usual = os.umask(0o077)
    lock = take_lock(f"{folder}/{SUPERVISOR_LOCK}")
    if lock is None:
        os.write(1, b"busy\n")
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.makedirs(f"{folder}/{SPOOL_NAME}", mode=0o700, exist_ok=True)
    listener = listen(folder)
    os.umask(usual)
    supervisor = Supervisor(folder, listener, idle_exit, this_machine())
    signal.signal(signal.SIGTERM, lambda *_: supervisor.leave())
    os.write(1, b"ready\n")
    let_go_of_output()
    supervisor.run()


def close_inherited() -> None:
    """Close what whoever started us left open: neither we nor any command may keep a stranger's pipe alive."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):
                os.close(int(name))


def take_lock(path: str) -> int | None:
    """Return the descriptor that holds the lock for life, or None when somebody else holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    os.ftruncate(fd, 0)
    os.write(fd, b"%d\n" % os.getpid())
    return fd


def listen(folder: str) -> socket.socket:
    """Return the listening socket; its name is bound from within the folder, whose path may be of any length."""
    os.chdir(folder)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(SOCKET_NAME)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(SOCKET_NAME)
    listener.listen(16)
    os.chdir("/")
    return listener


def let_go_of_output() -> None:
    """Point standard input and output at nothing: whoever waits for the first line sees its end."""
    nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))

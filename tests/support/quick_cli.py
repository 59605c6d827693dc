"""``plumber`` without the half second that an interpreter and its imports take: a process that has them, and forks.

    python quick_cli.py SOCKET [ARGUMENTS...]      carry out one command, as ``plumber`` would
    python quick_cli.py --serve SOCKET             be the process that has everything imported

A command gets its own process with the caller's folder, environment and streams, so it behaves as the program does.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from pathlib import Path

FAILED = 70


def call(path: str, arguments: list[str]) -> int:
    """Have a command carried out; return its exit code."""
    request = {"arguments": arguments, "folder": str(Path.cwd()), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [b"!"], [0, 1, 2])
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer = connection.makefile().readline()
    return int(answer) if answer else FAILED


def serve(path: str) -> None:
    """Import everything, then fork for each command until killed."""
    import importlib
    import signal

    modules = ("plumber_core.cli", "plumber_core.terminal.local", "plumber_core.local", "plumber_core.terminal.live")
    verbs = ("adhoc", "agents", "executions", "session", "tasks", "tokens")
    for name in (*modules, "plumber_client._async", *(f"plumber_client.commands.{verb}" for verb in verbs)):
        importlib.import_module(name)
    importlib.import_module("plumber_core.cli").build_app()  # imports the plugins, too
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listener.close()
                _carry_out(connection)
            connection.close()


def _carry_out(connection: socket.socket) -> None:
    from plumber_core import cli

    code = FAILED
    try:
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        request = json.loads(connection.makefile().readline())
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        cli.main(request["arguments"])
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(f"{code}\n".encode())
        os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
    else:
        sys.exit(call(sys.argv[1], sys.argv[2:]))

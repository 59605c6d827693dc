"""Replaces the executor host by the process that an executor asked for."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from plumber_core.plugins.contracts.command import Command

CANNOT_START, NOT_FOUND = 126, 127


def start_command(command: Command, stdin: str | None) -> int:
    """Become the command; return an exit code only if that fails.

    Args:
        command: what to start, its script included.
        stdin: text that it finds on its standard input; None is an empty one.
    """
    argv = list(command.resolve(None if command.script is None else _written(command.script)))
    _give_stdin(stdin)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvp(argv[0], argv)
    except FileNotFoundError:
        return _complain(argv[0], "not found", NOT_FOUND)
    except OSError as error:
        return _complain(argv[0], error.strerror or str(error), CANNOT_START)


def _written(script: str) -> str:
    """Write the script beside the attempt's output file, to be deleted with it, else to a temporary file."""
    if output := os.environ.get("PLUMBER_OUTPUT"):
        path = str(Path(output).with_suffix(".script"))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o700)
    else:
        descriptor, path = tempfile.mkstemp(prefix="plumber-", suffix=".script")
    with os.fdopen(descriptor, "wb") as file:
        file.write(script.encode("utf-8", "surrogateescape"))
    return path


def _give_stdin(text: str | None) -> None:
    """Put the text on descriptor 0 as an unlinked file: it is not bounded as a pipe would be."""
    with tempfile.TemporaryFile() as source:
        source.write((text or "").encode("utf-8", "replace"))
        source.seek(0)
        os.dup2(source.fileno(), 0)


def _complain(program: str, reason: str, code: int) -> int:
    sys.stderr.write(f"plumber: {program}: {reason}\n")
    return code

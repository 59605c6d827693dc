"""Start of one command: ``posix_spawn`` from a single-threaded process, with exact reasons when it cannot.

Its folder is entered just before and left just after, which gives the command its folder and us the exact error.
"""

# The supervisor does not load pathlib: memory.
# ruff: noqa: PTH113
from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Iterator

from plumber_core.runner.marks import worn

ROOT = "/"
_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_FOLDER_CODES = {
    errno.ENOENT: "path_missing",
    errno.ENOTDIR: "not_a_directory",
    errno.EACCES: "permission_denied",
    errno.EPERM: "permission_denied",
}
_PROTECTED = b"-900"


class CannotStart(Exception):
    """The command was never executed. ``code`` says why for programs, ``detail`` for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


class OomShield:
    """Keeps the supervisor from being the first victim of the kernel's memory killer, and its commands from
    inheriting that; without the right to do so it does nothing."""

    def __init__(self) -> None:
        self._fd, self._usual = -1, b"0"
        with contextlib.suppress(OSError):
            self._fd = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
            self._usual = os.read(self._fd, 16).strip()
            self._set(_PROTECTED)

    def _set(self, value: bytes) -> None:
        if self._fd >= 0:
            try:
                os.pwrite(self._fd, value, 0)
            except OSError:
                os.close(self._fd)
                self._fd = -1

    @contextlib.contextmanager
    def lowered(self) -> Iterator[None]:
        """Be as everybody else while a child is made."""
        self._set(self._usual)
        try:
            yield
        finally:
            self._set(_PROTECTED)


def spawn(
    argv: list[str], env: dict[str, str], path: str | None, stdio: tuple[int, ...], shield: OomShield, mark: int
) -> int:
    """Start a command in a session of its own and return its process id.

    Args:
        argv: the program, looked up in ``env``'s PATH, and its arguments.
        env: its whole environment.
        path: the folder to start in; the root folder if None.
        stdio: what it gets as standard input, output and error, and more descriptors after these.
        shield: lowered around the start.
        mark: what it and all that it starts will carry.

    Raises:
        CannotStart: nothing was executed.
    """
    _enter(path or ROOT)
    try:
        with shield.lowered(), worn(mark):
            return _spawn(argv, env, stdio)
    except (OSError, ValueError) as error:
        raise _cannot_start(argv, error) from error
    finally:
        os.chdir(ROOT)


def _spawn(argv: list[str], env: dict[str, str], stdio: tuple[int, ...]) -> int:
    return os.posix_spawn(
        find_program(argv[0], env.get("PATH", os.defpath)),
        argv,
        env,
        file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(stdio)],
        setsid=True,
        setsigmask=(),
        setsigdef=_SIGNALS,
    )


def _enter(path: str) -> None:
    try:
        os.chdir(path)
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        code = _FOLDER_CODES.get(number or 0, "cannot_start")
        raise CannotStart(code, f"{path}: {_reason(error)}") from error


def find_program(name: str, search: str) -> str:
    """Return the file that ``name`` means, seen from the current folder.

    Raises:
        FileNotFoundError: no such program.
        PermissionError: there is one, but it may not be executed.
    """
    if "/" in name:
        return name
    found = [f"{folder or '.'}/{name}" for folder in search.split(":") if name]
    for program in found:
        if os.path.isfile(program) and os.access(program, os.X_OK):
            return program
    number = errno.EACCES if any(map(os.path.isfile, found)) else errno.ENOENT
    raise OSError(number, os.strerror(number))


def _cannot_start(argv: list[str], error: OSError | ValueError) -> CannotStart:
    denied = isinstance(error, PermissionError)
    return CannotStart("permission_denied" if denied else "cannot_start", f"{argv[0]}: {_reason(error)}")


def _reason(error: OSError | ValueError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def input_file(data: bytes | None) -> int:
    """Return a descriptor that reads ``data`` and then ends; it never touches a disk."""
    if not data:
        return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    fd = os.memfd_create("stdin")
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd

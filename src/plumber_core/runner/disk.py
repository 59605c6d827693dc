"""Files as the agent's cores use them: the functions of ``os`` by their names, and what ``os`` lacks.

The simulator's machines have disks of their own, which lose at a crash what was not synced.
"""

# The supervisor does not load pathlib: memory.
# ruff: noqa: PTH103, PTH104, PTH108, PTH123, PTH208
from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Sequence

Bytes = bytes | bytearray | memoryview
_PLAIN = stat.S_IFREG | 0o600
_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV)
_libc = ctypes.CDLL(None, use_errno=True)


class Disk:
    """Every method raises OSError as ``os`` does."""

    def open(self, path: str, flags: int, mode: int = 0o600) -> int:
        return os.open(path, flags | os.O_CLOEXEC, mode)

    def close(self, fd: int) -> None:
        os.close(fd)

    def write(self, fd: int, data: Bytes) -> int:
        return os.write(fd, data)

    def writev(self, fd: int, pieces: Sequence[Bytes]) -> int:
        return os.writev(fd, pieces)

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        return os.pread(fd, length, offset)

    def size(self, fd: int) -> int:
        """Return the length of an open file."""
        return os.fstat(fd).st_size

    def plain_size(self, path: str) -> int | None:
        """Return the length of a plain file of this user's that nobody else may open; None of anything else."""
        found = os.lstat(path)
        plain = (found.st_mode, found.st_nlink, found.st_uid) == (_PLAIN, 1, os.geteuid())
        return found.st_size if plain else None

    def truncate(self, path: str, length: int) -> None:
        os.truncate(path, length)

    def ftruncate(self, fd: int, length: int) -> None:
        os.ftruncate(fd, length)

    def restrict(self, fd: int) -> None:
        """Let nobody but this user read or write an open file."""
        os.fchmod(fd, 0o600)

    def fdatasync(self, fd: int) -> None:
        os.fdatasync(fd)

    def fsync(self, fd: int) -> None:
        os.fsync(fd)

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def make_folder(self, path: str) -> None:
        """Make a folder for this user only, and those above it; one that is there stays."""
        os.makedirs(path, mode=0o700, exist_ok=True)

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder."""
        return os.listdir(folder)

    def read_file(self, path: str, limit: int = -1) -> bytes:
        """Return a file's content, at most ``limit`` bytes of it."""
        with open(path, "rb", buffering=0) as file:
            return file.read(limit) or b""

    def sync_folder(self, path: str) -> None:
        """Make a folder's names durable."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def room(self, path: str) -> tuple[int, int]:
        """Return how many bytes of a file system are free for this user, and how many it has."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def held(self, folder: str) -> int:
        """Return how many bytes of disk the files in a folder take."""
        with os.scandir(folder) as entries:
            return sum(entry.stat(follow_symlinks=False).st_blocks for entry in entries) * 512

    def reserve(self, fd: int, start: int, length: int) -> bool:
        """Reserve ``length`` bytes of disk from ``start`` on without changing the file's size.

        Returns False where the file system cannot do that.
        """
        return _fallocate(fd, _KEEP_SIZE, start, length)

    def give_back(self, fd: int, start: int, length: int) -> bool:
        """Free the disk under ``length`` bytes from ``start`` on; they read as zeros, the size stays.

        Returns False where the file system cannot do that.
        """
        return _fallocate(fd, _KEEP_SIZE | _PUNCH_HOLE, start, length)

    def scarce(self, path: str) -> bool:
        """Say whether less than a twentieth of the disk under ``path`` is free."""
        found = os.statvfs(path)
        return found.f_bavail * 20 < found.f_blocks


DISK = Disk()


def _fallocate(fd: int, mode: int, start: int, length: int) -> bool:
    function = getattr(_libc, "fallocate64", None) or getattr(_libc, "fallocate", None)
    if function is None:
        return False
    if function(fd, mode, ctypes.c_int64(start), ctypes.c_int64(length)) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code))

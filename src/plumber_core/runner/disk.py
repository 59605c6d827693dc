"""Two things that files can do and Python cannot ask for: keep space in reserve, and give part of it back."""

from __future__ import annotations

import ctypes
import errno
import os

_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV)
_libc = ctypes.CDLL(None, use_errno=True)


def reserve(fd: int, start: int, length: int) -> bool:
    """Reserve ``length`` bytes of disk from ``start`` on without changing the file's size.

    Returns False where the file system cannot do that.

    Raises:
        OSError: the disk is full.
    """
    return _fallocate(fd, _KEEP_SIZE, start, length)


def give_back(fd: int, start: int, length: int) -> bool:
    """Free the disk under ``length`` bytes from ``start`` on; they read as zeros, the size stays.

    Returns False where the file system cannot do that.

    Raises:
        OSError: the disk failed.
    """
    return _fallocate(fd, _KEEP_SIZE | _PUNCH_HOLE, start, length)


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

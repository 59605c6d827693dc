"""The file of an SQLite database: on a local disk, one server at a time, and checked after a crash."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from plumber_core.errors import BadDatabaseUrl, StartupError

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "gfs2", "glusterfs", "lustre", "ncpfs",
    "nfs", "nfs4", "ocfs2", "smb2", "smb3", "smbfs",
}  # fmt: skip


class FileLock:
    """Held while a server has the database open. It is left full by one that died, and empty by one that stopped."""

    def __init__(self, path: Path) -> None:
        refuse_network(path, _mounts())
        self._descriptor = self._open(path)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise StartupError(reason=f"{path} is in use by another server; several servers need PostgreSQL") from error
        self.was_left = os.fstat(self._descriptor).st_size > 0
        """Whether the last server that had it did not stop by itself."""
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def _open(self, path: Path) -> int:
        try:
            return os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BadDatabaseUrl(reason=f"{path}: {error.strerror}") from error

    def release(self, *, clean: bool) -> None:
        """Let the next server have it; ``clean`` says that everything was written and closed."""
        if clean:
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def _mounts() -> str:
    try:
        return _MOUNTS.read_text()
    except OSError:
        return ""


def refuse_network(path: Path, mounts: str) -> None:
    """Refuse a file on a network file system: locks and memory maps are not what SQLite needs there.

    Raises: StartupError.
    """
    kind = file_system(path, mounts)
    if kind in _NETWORK:
        raise StartupError(
            reason=f"{path} is on a network file system ({kind}), where SQLite is not safe: use PostgreSQL"
        )


def file_system(path: Path, mounts: str) -> str | None:
    """Return the type of the file system that holds a path, by the text of ``/proc/self/mountinfo``."""
    where = os.path.realpath(path)
    best: tuple[int, str] | None = None
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        point = fields[4].encode().decode("unicode_escape").rstrip("/")
        if (where == point or where.startswith(point + "/")) and (best is None or len(point) >= best[0]):
            best = (len(point), right.split()[0])
    return best[1] if best else None

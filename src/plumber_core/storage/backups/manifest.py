"""What stands beside a backup: which database it is a copy of, and what it must still be to be restored."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from plumber_core.crash import crash_point
from plumber_core.errors import InvalidRequest
from plumber_core.version import __version__

SUFFIX = ".manifest.json"
FORMAT = 1
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class State:
    """What a database says of itself. ``at`` is its clock in microseconds."""

    dialect: str
    schema: str
    epoch: int
    at: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """``schema`` is the copied schema's revision, ``at`` when it was copied (microseconds, the database's clock)."""

    format: int
    release: str
    dialect: str
    schema: str
    epoch: int
    at: int
    bytes: int
    sha256: str


def beside(file: Path) -> Path:
    """Return where the manifest of a backup is."""
    return file.with_name(file.name + SUFFIX)


def describe(file: Path, state: State) -> Manifest:
    """Make a finished copy durable, and write its manifest."""
    with file.open("rb") as copied:
        os.fsync(copied.fileno())
    crash_point("server.backup_synced")
    size, found = file.stat().st_size, digest(file)
    manifest = Manifest(FORMAT, __version__, state.dialect, state.schema, state.epoch, state.at, size, found)
    with open_private(beside(file)) as written:
        written.write(json.dumps(asdict(manifest), indent=2).encode() + b"\n")
        written.flush()
        os.fsync(written.fileno())
        crash_point("server.manifest_synced")
    return manifest


def check(file: Path) -> Manifest:
    """Return the manifest of a backup that is what its manifest says.

    Raises: InvalidRequest.
    """
    try:
        manifest = Manifest(**json.loads(beside(file).read_bytes()))
    except OSError as error:
        raise InvalidRequest(field=str(beside(file)), reason=error.strerror or str(error)) from error
    except (ValueError, TypeError) as error:
        raise InvalidRequest(field=str(beside(file)), reason="it is no manifest of this release") from error
    if not file.is_file():
        raise InvalidRequest(field=str(file), reason="there is no such file")
    if (file.stat().st_size, digest(file)) != (manifest.bytes, manifest.sha256):
        raise InvalidRequest(field=str(file), reason="it is not what its manifest says: it was cut or changed")
    return manifest


def digest(file: Path) -> str:
    """Return a file's SHA-256."""
    found = hashlib.sha256()
    with file.open("rb") as read:
        while piece := read.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


def open_private(path: Path) -> BinaryIO:
    """Open a new file that only its owner may read, for writing."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")

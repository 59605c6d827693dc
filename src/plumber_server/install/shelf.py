"""What a server hands out to be installed: files by name, and a manifest with the SHA-256 of each."""

from __future__ import annotations

import functools
import hashlib
import logging
import threading
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from plumber_core.errors import NotFound, Unavailable
from plumber_core.reasons import because
from plumber_server.install.packing import Wheel, pack_all

MANIFEST, LOCK, SCRIPT = "SHA256SUMS", "agent.lock", "install.sh"
_log = logging.getLogger(__name__)
_here = Path(__file__).parent


class Shelf:
    """Wheels are packed when somebody first asks, and kept.

    Args:
        folder: more wheels, for other machines and other Pythons; its files may change while the server runs.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._packed: dict[str, bytes] | None = None
        self._packing = threading.Lock()

    @functools.cached_property
    def script(self) -> bytes:
        """The install script, the same for everybody."""
        return (_here / SCRIPT).read_bytes()

    def manifest(self) -> bytes:
        """Return a line for each file, as ``sha256sum`` writes them.

        Raises: Unavailable.
        """
        lines = [f"{_digest(data)}  {name}\n" for name, data in self._built().items()]
        lines += [f"{_digest_of_file(path, path.stat().st_mtime_ns)}  {path.name}\n" for path in self._more()]
        return "".join(sorted(lines, key=lambda line: line.split()[1])).encode()

    def file(self, name: str) -> bytes:
        """Return a file of the manifest, or the manifest.

        Raises: NotFound, Unavailable.
        """
        if name == MANIFEST:
            return self.manifest()
        for path in self._more():
            if path.name == name:
                return path.read_bytes()
        data = self._built().get(name)
        if data is None:
            raise NotFound(kind="address", name=f"/install/{name}"[:200], nearest=None)
        return data

    def _more(self) -> list[Path]:
        return [path for path in self._folder.glob("*.whl") if path.is_file()] if self._folder else []

    def _built(self) -> dict[str, bytes]:
        """Return what is made here; a file of the folder with the same name stands for it."""
        with self._packing:
            if self._packed is None:
                self._packed = {wheel.name: wheel.data for wheel in _pack()}
                self._packed[LOCK] = (_here / LOCK).read_bytes()
        others = {path.name for path in self._more()}
        return {name: data for name, data in self._packed.items() if name not in others}


def _pack() -> list[Wheel]:
    try:
        return list(pack_all())
    except (OSError, PackageNotFoundError) as error:
        _log.error("the agent's wheels cannot be packed", exc_info=error)
        raise Unavailable(reason=because("wheels")) from None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@functools.lru_cache(1000)
def _digest_of_file(path: Path, changed: int) -> str:
    return _digest(path.read_bytes())

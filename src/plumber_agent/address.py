"""Where the server is, as people write it: ``host:port``, ``http://...`` or ``https://...``."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from plumber_core.errors import StartupError

DEFAULT_PORTS = {"http": 80, "https": 443}
_PASTED = ("/api/rpc", "/rpc")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A server's base address. ``path`` is the prefix that a proxy may put before everything, or empty."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address; without a scheme it is plain HTTP, as the original wrote it.

        Raises:
            StartupError: it is none.
        """
        address = text.strip()
        parts = urlsplit(address if "://" in address else f"http://{address}")
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname or port == 0:
            raise StartupError(reason=f"server_addr {text!r} is neither host:port nor an http or https address")
        path = parts.path.rstrip("/")
        for pasted in _PASTED:
            path = path.removesuffix(pasted)
        return cls(parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme], path)

    @classmethod
    def parse_all(cls, text: str) -> list[Self]:
        """Read one address, or several with commas between them: those of servers that share a database.

        Raises:
            StartupError: one of them is none.
        """
        return [cls.parse(part) for part in text.split(",")]

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme == "https"

    @property
    def loopback(self) -> bool:
        """Whether the server is this machine, as far as the name tells."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def url(self, path: str = "", *, socket: bool = False) -> str:
        """Return the address of ``path`` on the server, as a WebSocket's with ``socket``."""
        scheme = ("wss" if self.secure else "ws") if socket else self.scheme
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}{self.path}{path}"

    def __str__(self) -> str:
        return self.url()

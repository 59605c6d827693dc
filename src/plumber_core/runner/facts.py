"""What an agent says of its host; targets may be written with these names."""

from __future__ import annotations

import os
import platform
import socket


def collect_facts(server: str = "") -> dict[str, str]:
    """Return the facts of this host: short names, text values.

    Args:
        server: a host name or address; ``ip`` is this host's address on the way there.
    """
    kernel = os.uname()
    facts = {
        "hostname": kernel.nodename,
        "os": kernel.sysname.lower(),
        "kernel": kernel.release,
        "arch": kernel.machine,
        "cpus": str(os.cpu_count() or 1),
        "python": platform.python_version(),
        "user": str(os.geteuid()),
        "ip": _address_towards(server),
    }
    return {name: value for name, value in (facts | _distribution()).items() if value}


def _distribution() -> dict[str, str]:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return {}
    return {"distro": release.get("ID", ""), "distro_version": release.get("VERSION_ID", "")}


def _address_towards(server: str) -> str:
    """Return the local address that packets to ``server`` would carry; nothing is sent."""
    try:
        family, _, _, _, address = socket.getaddrinfo(server or "192.0.2.1", 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError:
        return ""

"""What an agent says of its host; targets may be written with these names."""

from __future__ import annotations

import os
import platform
import socket
from pathlib import Path

from plumber_core.protocol.messages import Load

LOAD_STEP = 0.05
"""A load is told in these steps: what changes by less is no news."""
_MEMORY = Path("/proc/meminfo")


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
        "memory": _memory(),
        "python": platform.python_version(),
        "user": str(os.geteuid()),
        "ip": _address_towards(server),
    }
    return {name: value for name, value in (facts | _distribution()).items() if value}


def _memory() -> str:
    """Return how much memory the host has, such as ``15989M``; nothing where nothing tells."""
    try:
        return f"{_sizes(_MEMORY.read_text())['MemTotal:'] // 1024}M"
    except (OSError, ValueError):
        return ""


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


def measure_load() -> Load | None:
    """Return the load of the last minute for each CPU and the used share of memory; None where nothing tells."""
    try:
        busy = os.getloadavg()[0] / (os.cpu_count() or 1)
        return Load(_coarse(busy), _coarse(_used_memory(_MEMORY.read_text())))
    except (OSError, ValueError):
        return None


def _used_memory(text: str) -> float:
    """Return the share that a new process could not have, from the text of ``/proc/meminfo``.

    Raises: ValueError (it does not say).
    """
    sizes = _sizes(text)
    return 1 - sizes["MemAvailable:"] / sizes["MemTotal:"]


def _sizes(text: str) -> dict[str, int]:
    lines = (line.split() for line in text.splitlines())
    sizes = {words[0]: int(words[1]) for words in lines if words[0] in ("MemTotal:", "MemAvailable:")}
    if len(sizes) < 2 or not sizes["MemTotal:"]:
        raise ValueError("no sizes of memory")
    return sizes


def _coarse(value: float) -> float:
    return round(round(value / LOAD_STEP) * LOAD_STEP, 2)

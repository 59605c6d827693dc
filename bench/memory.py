"""Memory of processes, from ``/proc``."""

from __future__ import annotations

from pathlib import Path


def resident(pid: int) -> float:
    """Return the resident memory of a process now, in MB."""
    return _status(pid, "VmRSS")


def peak(pid: int) -> float:
    """Return the most that a process had resident since ``forget_peak``, in MB."""
    return _status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Count the peak anew from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024

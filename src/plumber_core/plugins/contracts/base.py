"""What all plugin objects have in common."""

from __future__ import annotations


class PluginObject:
    """Base of every contract: an object that is opened before its first use and closed after its last.

    A process opens only what it uses: executors and secret providers where a step runs, others in the control plane.
    """

    async def open(self) -> None:
        """Acquire what the object needs, such as connections. Raising keeps the process from starting."""
        return

    async def close(self) -> None:
        """Release it again. Errors are logged and do not disturb the others."""
        return

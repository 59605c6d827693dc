"""Users and credentials."""

from __future__ import annotations

from typing import Any, Protocol

from plumber_core.model import records as r


class AccessStore(Protocol):
    """Users and credentials. Secrets come hashed."""

    async def ensure_user(self, username: str, password_hash: str) -> bool:
        """Create the user when there is none by that name; say whether it was created."""
        ...

    async def find_user(self, username: str) -> r.UserRow | None: ...

    async def set_password(self, user: str, password_hash: str, keep: str | None) -> None:
        """Store a new password and revoke the user's sessions except the credential ``keep``."""
        ...

    async def add_credential(
        self, kind: str, owner: str, secret: str, *, name: str, seconds: float | None, data: dict[str, Any]
    ) -> r.CredentialRow:
        """Store a credential that expires in ``seconds`` (None: never)."""
        ...

    async def find_credential(self, secret: str) -> r.CredentialRow | None:
        """Return the live credential with this hash."""
        ...

    async def list_credentials(self, kind: str, owner: str) -> list[r.CredentialRow]: ...

    async def revoke_credential(self, id: str, owner: str | None = None) -> bool: ...

    async def touch_agent_credential(self, id: str, agent: str) -> None:
        """Note the first use of an agent's credential: from now on its older ones are refused."""
        ...

    async def use_enrolment(self, secret: str, agent: r.AgentRow, agent_secret: str) -> str | None:
        """Spend a one-time token and create the agent with its credential, atomically.

        Returns None, or why not: ``token`` or ``name``.
        """
        ...

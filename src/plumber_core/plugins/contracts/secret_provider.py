"""Secret providers: fetch a secret when a step needs it. Runs in: executor host, on the step's own agent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from plumber_core.plugins.contracts.base import PluginObject

if TYPE_CHECKING:
    from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Names a secret without being one: ``SCHEME:NAME`` or ``SCHEME:NAME#KEY``."""

    scheme: str
    name: str
    key: str | None = None

    @classmethod
    def parse(cls, text: str) -> SecretRef:
        """Read the text form.

        Raises:
            ValueError: no scheme or no name.
        """
        scheme, colon, rest = text.partition(":")
        name, _, key = rest.partition("#")
        if not (scheme and colon and name):
            raise ValueError(f"not a secret reference: {text!r}; expected SCHEME:NAME")
        return cls(scheme, name, key or None)

    def __str__(self) -> str:
        return f"{self.scheme}:{self.name}" + (f"#{self.key}" if self.key else "")


class SecretNotFound(Exception):
    """Raised by a provider that has no such secret. The message names the reference, never a value."""


class SecretProvider(PluginObject, ABC):
    """Serves exactly one ``scheme``: ``secrets: {DB_PASSWORD: SCHEME:NAME}`` at a step.

    It is opened, asked and closed in the process that begins the step, on the step's own server: what it needs to reach
    its store comes from the agent's settings. A value is given to the command as an environment variable and to an
    executor's parameters where they say ``${{ secrets.DB_PASSWORD }}``; the control plane never has it.
    """

    scheme: ClassVar[str]

    @abstractmethod
    async def fetch(self, ref: SecretRef) -> SecretStr:
        """Return the present value; it is never logged or stored.

        Raises:
            SecretNotFound: there is no such secret. After any other exception (of which only the kind is told, because
                its text might hold a value) and after 30 s without an answer the step does not begin either.
        """

"""Authenticators: who does this credential belong to? Runs in: control plane."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from plumber_core.plugins.contracts.base import PluginObject

if TYPE_CHECKING:
    from plumber_core.model.views import Principal


class Credential:
    """Base of what a caller can show. Authenticators do not see where it came from."""


@dataclass(frozen=True, slots=True)
class Bearer(Credential):
    """A token of a session or of a program."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Password(Credential):
    """A user name with its password."""

    username: str
    password: str = field(repr=False)


class CredentialRejected(Exception):
    """Raised by an authenticator: this credential is mine, and it is bad. Nobody else is asked.

    The caller gets the same answer as for a credential that nobody knows; the message goes to the server's
    log only.
    """


class Authenticator(PluginObject, ABC):
    """Turns credentials of the ``accepts`` classes into principals. ``name`` is unique."""

    name: ClassVar[str]
    accepts: ClassVar[frozenset[type[Credential]]]

    @abstractmethod
    async def authenticate(self, credential: Credential) -> Principal | None:
        """Return whose credential this is, or None if it is not of a kind that this authenticator issues.

        Called on every request: bound what it costs. Time must not tell whether a name exists.

        Raises:
            CredentialRejected: it is mine, and it is bad. Any other error is answered as "unavailable".
        """

"""Authorisers: may this principal do that? Runs in: control plane."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from plumber_core.plugins.contracts.base import PluginObject

if TYPE_CHECKING:
    from plumber_core.model.views import Principal


class Decision(Enum):
    """One authoriser's word. Any DENY wins, else any ALLOW; if all abstain the answer is no."""

    ALLOW = "allow"
    DENY = "deny"
    ABSTAIN = "abstain"


class Authoriser(PluginObject, ABC):
    """Decides about actions such as ``task:run``. ``name`` is unique."""

    name: ClassVar[str]

    @abstractmethod
    async def decide(self, principal: Principal, action: str, resource: str | None) -> Decision:
        """Return the decision; ABSTAIN on what this authoriser knows nothing about. An error counts as DENY.

        Args:
            principal: who acts.
            action: the operation's action, ``<noun>:<verb>``.
            resource: id or name of what it is about, or None if it is about no single thing.
        """

"""What every noun's operations share."""

from __future__ import annotations

from dataclasses import dataclass

from plumber_core.engine.access import Access, Caller
from plumber_core.engine.core import Engine
from plumber_core.errors import InvalidRequest, Unauthenticated
from plumber_core.model import limits
from plumber_core.plugins.registry import PluginRegistry
from plumber_core.reasons import because


@dataclass(frozen=True, slots=True)
class Desk:
    """Where requests are taken: the engine, and who asks. ``caller`` is None for somebody without a credential."""

    engine: Engine
    plugins: PluginRegistry
    access: Access
    caller: Caller | None
    address: str = ""

    async def allow(self, action: str, resource: str | None = None) -> Caller:
        """Return the caller if this may be done.

        Raises: Unauthenticated, Forbidden.
        """
        if self.caller is None:
            raise Unauthenticated
        await self.plugins.authorise(self.caller.principal, action, resource)
        return self.caller


class Noun:
    """Base of a noun's operations."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.engine = desk.engine
        self.store = desk.engine.store


def page_size(limit: int) -> int:
    """Check a page's size.

    Raises: InvalidRequest.
    """
    if not 1 <= limit <= limits.MAX_PAGE:
        raise InvalidRequest(field="limit", reason=because("between", least=1, most=limits.MAX_PAGE))
    return limit


def clean(field: str, text: str, longest: int) -> str:
    """Check a text that people wrote.

    Raises: InvalidRequest.
    """
    if len(text) > longest:
        raise InvalidRequest(field=field, reason=because("too_long", most=longest))
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidRequest(field=field, reason=because("bad_character"))
    return text

"""Web panels: a plugin's own box in the web page, as plain data. Runs in: browser."""

from __future__ import annotations

from dataclasses import dataclass

from plumber_core.model.panel_slots import PanelSlot


@dataclass(frozen=True, slots=True)
class TableOf:
    """A table: ``url`` answers a JSON list of objects, ``columns`` are (key, heading).

    It is an address of this server, such as one of ``register_routes``, without a leading ``/``. The page adds what it
    shows as ``?task=``, ``?execution=`` or ``?agent=``, and asks again twice a minute.
    """

    url: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MarkdownOf:
    """Text in Markdown, shown without raw HTML."""

    text: str


@dataclass(frozen=True, slots=True)
class EsModule:
    """A script module of this server that exports ``mount(element, context)``; what that returns is called to end it.

    ``context`` has ``slot``, ``task``, ``execution`` or ``agent`` (a name or an id), ``language`` and
    ``call(operation, arguments)``. It has the rights of who looks at it.
    """

    url: str


@dataclass(frozen=True, slots=True)
class WebPanel:
    """``slot`` is the page it appears on, ``needs`` the action that the person must be allowed to do.

    Panels stand in order of (``order``, ``title``); a broken one shows its own error and harms nobody.
    """

    name: str
    slot: PanelSlot
    title: str
    source: TableOf | MarkdownOf | EsModule
    order: int = 100
    needs: str = "system:info"

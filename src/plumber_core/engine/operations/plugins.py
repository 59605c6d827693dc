"""What is loaded into this server, what of it fails, and what it shows in the page."""

from __future__ import annotations

from plumber_core.engine.clock import moment
from plumber_core.engine.operations.base import Desk
from plumber_core.engine.outbox import SUBSCRIBER
from plumber_core.errors import Forbidden
from plumber_core.model.notice_views import PanelColumn, PanelView, PluginObjectView, PluginView
from plumber_core.model.notices import CursorRow
from plumber_core.plugins.contracts.web_panel import EsModule, MarkdownOf, TableOf, WebPanel
from plumber_core.plugins.manager import PluginInfo


async def plugin_views(desk: Desk) -> list[PluginView]:
    """Return every loaded plugin, in order of names."""
    cursors = {row.name: row for row in await desk.engine.store.list_cursors()}
    return [_view(desk, info, cursors) for info in desk.plugins.manager.plugins()]


async def panel_views(desk: Desk, slot: str) -> list[PanelView]:
    """Return the panels of a place that the caller may see, in their order."""
    shown = [panel for panel in desk.plugins.panels if panel.slot == slot]
    allowed = {need: await _may(desk, need) for need in {panel.needs for panel in shown}}
    return [_panel(desk, panel) for panel in shown if allowed[panel.needs]]


async def _may(desk: Desk, action: str) -> bool:
    try:
        await desk.allow(action)
    except Forbidden:
        return False
    return True


def _panel(desk: Desk, panel: WebPanel) -> PanelView:
    origin = desk.plugins.manager.origins.get(("web_panels", panel.name), "")
    about = {"name": panel.name, "plugin": origin, "title": panel.title}
    match panel.source:
        case TableOf(url, columns):
            shown = [PanelColumn(key=key, heading=heading) for key, heading in columns]
            return PanelView(**about, kind="table", url=url, columns=shown)
        case MarkdownOf(text):
            return PanelView(**about, kind="markdown", text=text)
        case EsModule(url):
            return PanelView(**about, kind="module", url=url)


def _view(desk: Desk, info: PluginInfo, cursors: dict[str, CursorRow]) -> PluginView:
    names = sorted(key for key, origin in desk.plugins.manager.origins.items() if origin == info.title)
    return PluginView(
        name=info.name,
        distribution=info.distribution,
        hooks=list(info.hooks),
        objects=[_object(desk, noun, name, cursors.get(SUBSCRIBER + name)) for noun, name in names],
    )


def _object(desk: Desk, noun: str, name: str, cursor: CursorRow | None) -> PluginObjectView:
    if noun == "event_subscribers" and cursor is not None and cursor.error is not None:
        return PluginObjectView(
            noun=noun,
            name=name,
            failures=cursor.failures,
            failing=True,
            error=cursor.error,
            behind=None if cursor.failing_since is None else moment(cursor.failing_since),
        )
    trouble = desk.plugins.troubles.of(noun, name)
    if trouble is None:
        return PluginObjectView(noun=noun, name=name)
    return PluginObjectView(
        noun=noun,
        name=name,
        failures=trouble.failures,
        failing=trouble.ongoing,
        error=trouble.error,
        failed_at=trouble.at,
    )

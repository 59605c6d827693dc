"""The bodies of ``plugins``: they look at what is installed beside this command, with the server's own settings."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from rich.console import Group, RenderableType
from rich.text import Text

from plumber_core.config import load_settings
from plumber_core.errors import NotFound
from plumber_core.planning.problems import nearest
from plumber_core.plugins.settings import PluginSettings
from plumber_core.plugins.survey import Fault, Surveyed, clash, survey
from plumber_core.terminal.language import N_, _, language
from plumber_core.terminal.options import Output
from plumber_core.terminal.output import emit, fields, safe, table
from plumber_core.terminal.problems import OK, REFUSED, print_error

Name = Annotated[str, Parameter(help=_("The plugin's name."))]
STATES = {"loaded": (N_("loaded"), "green"), "disabled": (N_("disabled"), ""), "broken": (N_("broken"), "red")}


def list_(*, output: Output = "table") -> None:
    """List the installed plugins."""
    found = survey(_settings())
    columns = [_("Name"), _("State"), _("Package"), _("Adds")]
    emit(found, output, lambda: table(columns, map(_row, found)))


def show(name: Name, /, *, output: Output = "table") -> None:
    """Show what a plugin adds."""
    found = _named(name)
    emit(found, output, lambda: Group(*map(_details, found)))


def check(
    name: Annotated[str, Parameter(help=_("The plugin's name; without one, all, and whether they go together."))] = "",
    /,
    *,
    output: Output = "table",
) -> int:
    """Say what is wrong; exit with 2 when something is."""
    found = _named(name) if name else survey(_settings())
    errors = [plugin.error for plugin in found if plugin.error is not None]
    if not name and not errors and (together := clash(_settings())) is not None:
        errors.append(together)
    for error in errors:
        print_error(error)
    well = _("Nothing is wrong with {names}.", names=", ".join(plugin.name for plugin in found))
    emit([Fault.of(error) for error in errors], output, lambda: safe("" if errors else well))
    return REFUSED if errors else OK


def _settings() -> PluginSettings:
    return PluginSettings.from_table(load_settings().plugins)


def _named(name: str) -> list[Surveyed]:
    """Return the plugins with this name: two that clash have the same."""
    found = survey(_settings())
    named = [plugin for plugin in found if plugin.name == name]
    if not named:
        raise NotFound(kind="plugin", name=name, nearest=nearest(name, [plugin.name for plugin in found]))
    return named


def _row(plugin: Surveyed) -> tuple[str | Text, ...]:
    added = " ".join(f"{one.noun}:{one.name}" for one in plugin.objects) or " ".join(plugin.hooks)
    return plugin.name, _state(plugin), plugin.distribution, _problem(plugin) or added


def _state(plugin: Surveyed) -> Text:
    word, style = STATES[plugin.state]
    return Text(_(word), style=style)


def _problem(plugin: Surveyed) -> str:
    return plugin.error.explain(language()) if plugin.error is not None else ""


def _details(plugin: Surveyed) -> RenderableType:
    head = fields(
        [
            (_("Name"), plugin.name),
            (_("Package"), plugin.distribution),
            (_("State"), _state(plugin)),
            (_("Settings"), f"[plugins.{plugin.name}]" if plugin.configured else _("none")),
            (_("Hooks"), " ".join(plugin.hooks)),
            (_("Problem"), _problem(plugin)),
        ]
    )
    if not plugin.objects:
        return head
    columns = [_("Kind"), _("Name"), _("About")]
    return Group(head, "", table(columns, ((one.noun, one.name, one.about) for one in plugin.objects)))

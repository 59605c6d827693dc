"""What every plugin must do as a whole, whichever hooks it has: commands and routes included."""

from __future__ import annotations

import inspect
import io
from collections.abc import Mapping
from typing import Any

import pytest

from plumber_core.errors import PlumberError, StartupError
from plumber_core.plugins import survey
from plumber_core.plugins.discovery import InstalledPlugin
from plumber_core.plugins.manager import PluginManager
from plumber_core.plugins.settings import PluginSettings
from plumber_core.testing.conformance.opened import override


class PluginConformance:
    """Override ``plugin``, and ``settings`` with a table that it works with if it needs one."""

    @pytest.fixture
    def plugin(self) -> object:
        """What the entry point names: a module, or an object with functions marked ``@hookimpl``."""
        raise override("plugin")

    @pytest.fixture
    def settings(self) -> Mapping[str, Any]:
        """Its table ``[plugins.<name>]``."""
        return {}

    def test_fits_its_hooks(self, plugin: object, settings: Mapping[str, Any]) -> None:
        manager = _loaded(plugin, settings)
        manager.check()
        _collect(manager)

    def test_goes_together_with_what_is_installed(self, plugin: object, settings: Mapping[str, Any]) -> None:
        manager = _loaded(plugin, settings)
        for found in manager.found():
            if _is_sound(found) and found.load() is not plugin:
                manager.load(found)
        _collect(manager)

    def test_says_what_its_objects_are(self, plugin: object, settings: Mapping[str, Any]) -> None:
        for contract in survey.CONTRACTS:
            for entry in _loaded(plugin, settings).collect(contract):
                assert survey.about(entry.item), f"{entry.name} has no docstring: lists show its first line"

    def test_its_commands_explain_themselves(self, plugin: object, settings: Mapping[str, Any]) -> None:
        from cyclopts import App
        from rich.console import Console

        app = App(name="plumber", console=Console(file=io.StringIO()))
        known = set(app)
        _loaded(plugin, settings).add_commands(app)
        for name in set(app) - known:
            assert app[name].help, f"plumber {name} has no docstring: help shows it"

    def test_refuses_settings_that_it_does_not_know(self, plugin: object, settings: Mapping[str, Any]) -> None:
        if not settings:
            pytest.skip("no settings to spoil")
        manager = _loaded(plugin, {**settings, "nobody-knows-this": 1})
        with pytest.raises(StartupError, match="nobody-knows-this"):
            _collect(manager)


def _is_sound(found: InstalledPlugin) -> bool:
    """Whether another plugin can be used as it is; one that is broken or lacks settings is not this one's fault."""
    manager = PluginManager(PluginSettings(), identities=survey.NobodyYet())
    try:
        manager.load(found)
        _collect(manager)
    except PlumberError:
        return False
    return True


def _collect(manager: PluginManager) -> None:
    for contract in survey.CONTRACTS:
        manager.collect(contract)


def _loaded(plugin: object, settings: Mapping[str, Any]) -> PluginManager:
    name = "plugin-under-test"
    manager = PluginManager(PluginSettings(tables={name: settings}), identities=survey.NobodyYet())
    assert not inspect.isclass(plugin), "give an object of the class, not the class"
    manager.register(plugin, name)
    return manager

"""What every web panel must be: plain data that the page can show."""

from __future__ import annotations

import pytest

from plumber_core.plugins.catalogue import WEB_PANELS
from plumber_core.plugins.contracts.web_panel import MarkdownOf, TableOf, WebPanel
from plumber_core.testing.conformance.opened import assert_contract, override


class WebPanelConformance:
    """Override ``panel``."""

    @pytest.fixture
    def panel(self) -> WebPanel:
        """The panel to test."""
        raise override("panel")

    def test_contract(self, panel: WebPanel) -> None:
        assert_contract(panel, WEB_PANELS)

    def test_has_a_title_of_one_line(self, panel: WebPanel) -> None:
        assert panel.title.strip() and len(panel.title.splitlines()) == 1

    def test_needs_an_action(self, panel: WebPanel) -> None:
        noun, colon, verb = panel.needs.partition(":")
        assert noun and colon and verb, "write needs as <noun>:<verb>, such as execution:show"

    def test_has_something_to_show(self, panel: WebPanel) -> None:
        if isinstance(panel.source, TableOf):
            assert panel.source.columns and all(key and heading for key, heading in panel.source.columns)
            keys = [key for key, _ in panel.source.columns]
            assert keys == list(dict.fromkeys(keys))
        if isinstance(panel.source, MarkdownOf):
            assert panel.source.text.strip()

"""Panels as the API hands them to the page: in their order, with their plugin, and only to those who may see them."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumber_core.app import Plumber
from plumber_core.errors import Forbidden
from plumber_core.model.views import Principal

PLUGIN = """
from plumber_core import Authoriser, Decision, EsModule, MarkdownOf, TableOf, WebPanel, hookimpl

class NoSecretsForGuests(Authoriser):
    name = "no-secrets-for-guests"

    async def decide(self, principal, action, resource):
        guest = principal.name == "guest" and action in ("shop:secrets", "system:panels" if principal.id == "x" else "")
        return Decision.DENY if guest else Decision.ABSTAIN

@hookimpl
def register_authorisers():
    return [NoSecretsForGuests()]

@hookimpl
def register_web_panels():
    return [
        WebPanel("b", "home", "B", TableOf("shop/b", (("id", "Id"),))),
        WebPanel("a", "home", "A", EsModule("shop/a.js"), needs="shop:secrets"),
        WebPanel("first", "home", "Z", MarkdownOf("text"), order=1),
        WebPanel("elsewhere", "agent", "Elsewhere", MarkdownOf("text")),
    ]
"""


async def test_panels_are_shown_in_order_to_those_who_may_see_them(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(PLUGIN)
    async with Plumber(sqlite_url, local_agent=False, plugins={"folder": str(tmp_path)}) as plumber:
        found = await plumber.system.panels(slot="home")
        assert [(one.name, one.kind, one.url, one.text) for one in found] == [
            ("first", "markdown", None, "text"),
            ("a", "module", "shop/a.js", None),
            ("b", "table", "shop/b", None),
        ]
        assert found[2].columns is not None and [(one.key, one.heading) for one in found[2].columns] == [("id", "Id")]
        assert found[2].plugin == f"shop ({tmp_path}/shop.py)"
        guest = plumber.acting_as(Principal(kind="user", id="g", name="guest"))
        assert [one.name for one in await guest.system.panels(slot="home")] == ["first", "b"]
        with pytest.raises(Forbidden):
            await plumber.acting_as(Principal(kind="user", id="x", name="guest")).system.panels(slot="home")

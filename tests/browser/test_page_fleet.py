"""The fleet in a browser: what is done to many agents at once, what asks first, and what is shown only once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from support.browser import ON_SQLITE, Visitor
from support.programs import CallFailed, RunningServer

pytestmark = ON_SQLITE
NAMES = ("blue-1", "blue-2")


@pytest.fixture
def fleet(inside: Visitor, shared_server: RunningServer) -> Iterator[Visitor]:
    """Somebody who has found two agents that nobody started."""
    for name in NAMES:
        shared_server.call("agent.create", name=name, labels={"team": name[-1]})
    inside.open("/fleet")
    inside.page.get_by_placeholder("Name, label or host").fill("blue-")
    expect(inside.page.get_by_role("row")).to_have_count(1 + len(NAMES))
    yield inside
    left = [agent["name"] for agent in shared_server.call("agent.list")["items"] if agent["name"] in NAMES]
    for name in left:
        shared_server.call("agent.delete", agent=name)


def _row(visitor: Visitor, name: str) -> Locator:
    link = visitor.page.get_by_role("link", name=name, exact=True)
    return visitor.page.get_by_role("row").filter(has=link)


def _bulk(visitor: Visitor, action: str) -> None:
    """Do something to all that are shown."""
    visitor.page.get_by_role("checkbox", name="Select all").check()
    visitor.page.get_by_role("toolbar").get_by_role("button", name=action, exact=True).click()


def _states(server: RunningServer) -> set[str]:
    return {server.call("agent.show", agent=name)["state"] for name in NAMES}


def test_many_agents_are_drained_paused_and_activated_at_once(fleet: Visitor) -> None:
    for action, shown, state in (
        ("Drain", "Draining", "draining"),
        ("Pause", "Paused", "disabled"),
        ("Activate", "Offline", "active"),
    ):
        _bulk(fleet, action)
        for name in NAMES:
            expect(_row(fleet, name)).to_contain_text(shown)
        assert _states(fleet.server) == {state}


def test_labels_of_many_are_changed_and_their_own_stay(fleet: Visitor) -> None:
    _bulk(fleet, "Labels")
    dialog = fleet.page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("role=web\nenv=prod")
    dialog.get_by_role("button", name="Save").click()
    for name in NAMES:
        expect(_row(fleet, name)).to_contain_text("role=web")
        labels = fleet.server.call("agent.show", agent=name)["labels"]
        assert labels == {"role": "web", "env": "prod", "team": name[-1]}


def test_a_credential_is_rotated_and_its_file_is_shown_once(fleet: Visitor) -> None:
    page = fleet.page
    _row(fleet, "blue-1").get_by_role("button", name="Actions for blue-1").click()
    page.get_by_role("menuitem", name="Rotate credential").click()
    dialog = page.get_by_role("dialog")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Download agent.json").click()
    config = json.loads(Path(download.value.path()).read_text())
    assert set(config) == {"id", "token", "server_addr"}
    assert config["id"] == fleet.server.call("agent.show", agent="blue-1")["id"]
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert config["token"] not in page.content()


def test_revoking_and_forgetting_ask_first(fleet: Visitor) -> None:
    page = fleet.page
    _bulk(fleet, "Revoke")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Revoke 2 agents?")
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog).to_have_count(0)
    assert _states(fleet.server) == {"active"}
    page.get_by_role("toolbar").get_by_role("button", name="Revoke").click()
    dialog.get_by_role("button", name="Revoke").click()
    for name in NAMES:
        expect(_row(fleet, name)).to_contain_text("Revoked")
    assert _states(fleet.server) == {"revoked"}
    _bulk(fleet, "Forget")
    dialog.get_by_role("button", name="Forget").click()
    for name in NAMES:
        expect(_row(fleet, name)).to_have_count(0)
    with pytest.raises(CallFailed, match="not_found"):
        fleet.server.call("agent.show", agent="blue-1")


def test_a_saved_group_is_shown_alone(fleet: Visitor) -> None:
    fleet.server.call("group.save", name="sea", expression="team=2", description="those at the sea")
    try:
        fleet.open("/fleet")
        fleet.page.get_by_role("combobox", name="Group").select_option(label="sea (1)")
        expect(fleet.page.get_by_role("row")).to_have_count(2)
        expect(_row(fleet, "blue-2")).to_be_visible()
        expect(fleet.page.get_by_title("those at the sea")).to_be_visible()
        fleet.page.get_by_placeholder("Name, label or host").fill("blue-1")
        fleet.page.get_by_role("button", name="Clear the filter").click()
        expect(_row(fleet, "blue-1")).to_be_visible()
    finally:
        fleet.server.call("group.delete", name="sea")

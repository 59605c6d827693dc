"""What the session chain makes of a greeting."""

from __future__ import annotations

from typing import Any

import pytest

from plumber_core.engine.sessions import judge
from plumber_core.ids import secret_hash
from plumber_core.model.records import AgentRow
from plumber_core.model.states import AgentState
from plumber_core.protocol.messages import Hello


def row(**values: Any) -> AgentRow:
    usual = {"id": "a", "name": "a", "state": AgentState.ACTIVE, "labels": {}, "facts": {}, "version": "", "slots": 1}
    more = {"executors": [], "created_at": 0, "last_seen_at": None, "original": False}
    return AgentRow(**{**usual, **more, **values})


def hello(incarnation: int, token: str | None, epoch: int = 2, install: str = "") -> Hello:
    told: dict[str, Any] = {"boot_id": "b", "version": "1", "token": token, "install": install}
    return Hello(incarnation=incarnation, nonce=f"n{incarnation}", epoch=epoch, **told)


def test_an_agent_whose_first_greeting_after_a_failover_had_no_answer_is_no_copy() -> None:
    """The database forgot the session in which the agent's token was given."""
    before = row(session=secret_hash("older"), session_epoch=1, incarnation=4)
    first = judge(before, 2, hello(8, "lost"), "session-8")
    assert first.status == "ok"
    opened = {name: first.values[name] for name in ("session", "previous_session", "session_used", "session_epoch")}
    again = judge(row(**opened, incarnation=8), 2, hello(9, "lost"), "session-9")
    assert again.status == "ok"
    assert judge(row(**opened, incarnation=8), 2, hello(9, "somebody's"), "session-9").status == "conflict"


WORKED = {"session": secret_hash("newest"), "session_epoch": 2, "incarnation": 3, "session_used": True}


def test_a_first_greeting_that_comes_late_is_no_new_installation() -> None:
    verdict = judge(row(**WORKED, install="folder"), 2, hello(1, None, install="folder"), "session-1")
    assert (verdict.status, verdict.values, verdict.reinstalled) == ("stale", {}, False)


def test_a_greeting_without_a_token_is_repeated_as_long_as_no_session_was_used() -> None:
    opened = judge(row(), 2, hello(1, None, install="folder"), "session-1").values
    names = ("session", "previous_session", "session_used", "session_epoch", "incarnation", "install")
    before = row(**{name: opened[name] for name in names})
    again = judge(before, 2, hello(2, None, install="folder"), "session-2")
    assert (again.status, again.reinstalled, again.values["install"]) == ("ok", False, "folder")


@pytest.mark.parametrize("epoch", [2, 3])
@pytest.mark.parametrize(("known", "told"), [("folder", "another"), ("folder", ""), (None, "folder"), (None, "")])
def test_who_shows_no_token_and_is_not_known_to_be_the_same_has_lost_its_memory(
    epoch: int, known: str | None, told: str
) -> None:
    verdict = judge(row(**WORKED, install=known), epoch, hello(1, None, epoch, told), "session-1")
    assert (verdict.status, verdict.reinstalled) == ("ok", True)
    assert verdict.values["install"] == (told or None)


@pytest.mark.parametrize("told", ["", "named since the upgrade"])
def test_who_shows_its_token_is_itself_whatever_its_folder_is_called(told: str) -> None:
    verdict = judge(row(**WORKED), 2, hello(4, "newest", install=told), "session-4")
    assert (verdict.status, verdict.reinstalled) == ("ok", False)


def test_the_first_greeting_of_all_has_nothing_to_lose() -> None:
    assert not judge(row(), 2, hello(1, None, install="folder"), "session-1").reinstalled

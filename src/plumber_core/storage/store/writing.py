"""Rows that several hot writes have in common, as parameters of their scripts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from plumber_core.model import records as r
from plumber_core.model.asked import Asked
from plumber_core.model.states import StepState
from plumber_core.storage.store.base import dumps, optional_microseconds


def start_state(start: r.Start | None) -> StepState:
    """Return the state in which a step is set going; blocked if it is not."""
    if start is None:
        return StepState.BLOCKED
    return StepState.RUNNING if start.session else StepState.READY


def starts_json(starts: tuple[r.Start, ...]) -> str:
    """Return the rows of steps that are set going."""
    return dumps(
        [
            {
                "id": start.step_id,
                "agent": start.agent_id,
                "spec": start.spec,
                "attempt": start.attempt_id,
                "number": start.number,
                "session": start.session,
                "beat": start.beat,
                "boot": start.boot_id,
                "locked": int(bool(start.wants)),
            }
            for start in starts
        ]
    )


def asks_json(execution: str, starts: tuple[r.Start, ...], whole: tuple[Asked, ...] = ()) -> str:
    """Return the rows of what steps, and perhaps a ``whole`` execution, ask for."""
    asks = [(execution, wanted) for wanted in whole]
    asks += [(start.step_id, wanted) for start in starts for wanted in start.wants]
    return dumps([{"holder": holder, **asdict(wanted)} for holder, wanted in asks])


def started_event(start: r.Start) -> dict[str, Any]:
    """Return the event of a step that is set going."""
    data = {"step_execution": start.step_id, "step": start.step, "attempt": start.attempt_id}
    return {"kind": f"step.{start_state(start)}", "agent": start.agent_id, "data": data}


def passed_json(passed: tuple[r.Passed, ...]) -> str:
    """Return the rows of steps that are passed over."""
    return dumps([{"id": one.step_id, "cause": dumps(one.cause)} for one in passed])


def passed_event(passed: r.Passed) -> dict[str, Any]:
    """Return the event of a step that is passed over."""
    data = {"step_execution": passed.step_id, "step": passed.step, "lane": passed.lane, "cause": passed.cause}
    return {"kind": "step.skipped", "agent": passed.agent_id, "data": data}


def told_event(told: r.Told) -> dict[str, Any]:
    """Return an event that is no agent's."""
    return {"kind": told[0], "agent": None, "data": told[1]}


def opens(entered: r.Opening | None) -> dict[str, Any]:
    """Return the parameters of the stage that is reached."""
    pause = entered.pause if entered is not None and not isinstance(entered.pause, str) else None
    return {
        "opens": entered.stage if entered else -1,
        "carried": entered.carried if entered else 0,
        "lanes": entered.lanes if entered else 0,
        "left_out": entered.missed if entered else 0,
        "waits": entered.waits if entered else None,
        "pause": optional_microseconds(pause),
    }

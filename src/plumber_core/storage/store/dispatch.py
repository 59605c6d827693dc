"""The hot path: submit, claim, report. See ``hot.py`` and ``script.py`` for the statements."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from plumber_core.ids import pool_id, step_execution_id
from plumber_core.model import records as r
from plumber_core.model.asked import PAUSED
from plumber_core.model.parts import TURN
from plumber_core.model.plan import Plan
from plumber_core.model.states import Actor, ExecutionState, StepEvent, StepState
from plumber_core.storage import hot
from plumber_core.storage.guards import allows, becomes
from plumber_core.storage.store.base import StorePart, dumps, microseconds, optional_microseconds
from plumber_core.storage.store.halting import end_and_halt
from plumber_core.storage.store.pausing import end_and_pause
from plumber_core.storage.store.writing import (
    asks_json,
    opens,
    passed_event,
    passed_json,
    start_state,
    started_event,
    starts_json,
    told_event,
)

_CLAIM_WHICH = """
SELECT id FROM step_executions WHERE agent_id = :agent AND state = 'ready' AND ready_at <= plumber_now()
ORDER BY ready_at, id LIMIT :limit"""
# COALESCE keeps PostgreSQL from reading every ready step of every agent: the ids are known.
_CLAIM_SET = f"""
UPDATE step_executions SET state = {becomes(StepEvent.BIND)}, attempt_number = attempt_number + 1,
  started_at = plumber_now(), attempt_id = id || '-' || (attempt_number + 1) || '-' || :nonce
WHERE id {{which}} AND COALESCE(state, '') = 'ready' AND {allows(StepEvent.BIND, Actor.SERVER)} AND EXISTS (
  SELECT 1 FROM agents a WHERE a.id = :agent AND a.session = :session AND a.state = 'active' AND NOT a.conflict
    AND a.session_epoch = (SELECT epoch FROM meta))
RETURNING id, execution_id, stage, step, lane, agent_id, round, state, attempt_id, attempt_number, spec, started_at"""
_CLAIM_ATTEMPTS = """
INSERT INTO attempts (id, step_execution_id, execution_id, agent_id, number, session, beat, boot_id, epoch, started_at)
SELECT attempt_id, id, execution_id, agent_id, attempt_number, :session, CAST(:beat AS BIGINT), :boot,
       (SELECT epoch FROM meta), plumber_now() FROM {claimed}"""
_CLAIM_EVENTS = """
INSERT INTO events (xid, at, kind, execution_id, agent_id, data)
SELECT plumber_xid(), plumber_now(), 'step.running', execution_id, agent_id, {data} FROM {claimed}"""
_EVENT = "'step_execution', id, 'step', step, 'lane', lane, 'attempt', attempt_id"
_PG_EVENT = f"CAST(json_build_object({_EVENT}) AS text)"
_PG_CLAIM = text(
    f"""WITH which AS MATERIALIZED ({_CLAIM_WHICH} FOR UPDATE SKIP LOCKED),
claimed AS ({_CLAIM_SET.format(which="= ANY(ARRAY(SELECT id FROM which))")}),
tries AS ({_CLAIM_ATTEMPTS.format(claimed="claimed")} RETURNING 1),
told AS ({_CLAIM_EVENTS.format(claimed="claimed", data=_PG_EVENT)} RETURNING 1)
SELECT * FROM claimed ORDER BY id"""
)
_MINE = "step_executions WHERE agent_id = :agent AND state = 'running' AND attempt_id LIKE '%-' || :nonce"
_LITE_CLAIM = (
    text(_CLAIM_SET.format(which=f"IN ({_CLAIM_WHICH})")),
    text(_CLAIM_ATTEMPTS.format(claimed=_MINE)),
    text(
        _CLAIM_EVENTS.format(
            claimed=_MINE,
            data=f"json_object({_EVENT})",
        )
    ),
)


class DispatchPart(StorePart):
    """Implements the hot part of ``ports.ExecutionStore``."""

    async def submit(self, new: r.NewExecution) -> bool:
        starts = {start.step_id: start for start in new.starts}
        steps = _step_rows(new.id, new.plan, starts)
        waits = dict.fromkeys(new.waiting, TURN)
        stages = [
            {
                "stage": n,
                "remaining": len(stage.hosts),
                "waits": waits.get(n),
                "due": "yes" if n in new.due else "no",
            }
            for n, stage in enumerate(new.plan.stages)
        ]
        # Without a host there is nothing to do, and that is done.
        state = ExecutionState.RUNNING if stages else ExecutionState.SUCCEEDED
        state = ExecutionState.QUEUED if new.wants else state
        data = {"task": new.task, "by": new.requested_by}
        created = [{"kind": f"execution.{kind}", "agent": None, "data": data} for kind in _begins(state)] + [
            told_event(one) for one in new.told
        ]
        parameters = {
            "execution": new.id,
            "task_id": new.task_id,
            "task": new.task,
            "revision": new.revision,
            "current": new.current_revision,
            "plan": dumps(new.plan.to_json()),
            "parameters": dumps(new.plan.parameters),
            "requested_by": new.requested_by,
            "reason": new.reason,
            "request_id": new.request_id,
            "timeout": None if new.wants else optional_microseconds(new.plan.timeout),
            "queue_timeout": optional_microseconds(new.plan.queue_timeout),
            "offline_after": optional_microseconds(new.plan.offline.patience if new.plan.offline else None),
            "credential": new.credential,
            "state": state.value,
            "fleet_version": new.fleet_version,
            "epoch": new.epoch,
            "stages": dumps(stages),
            "steps": dumps(steps),
            "starts": starts_json(new.starts),
            "locked": int(bool(new.wants)),
            "asks": asks_json(new.id, new.starts, new.wants),
            "events": dumps([*created, *map(started_event, new.starts)]),
        }
        try:
            asks = bool(new.wants) or any(start.wants for start in new.starts)
            return await self.hot("submit", hot.submit(asks=asks), parameters)
        except IntegrityError:  # the request id was used in this moment: the caller finds that execution
            return False

    async def end_step(self, end: r.StepEnd) -> bool:
        script = hot.end_step(
            end.event,
            end.actor,
            tail=bool(end.tail),
            lane_ends=end.lane_ends,
            skip_lane=bool(end.skipped),
            skip_rest=end.skip_after_stage,
            starts=bool(end.starts),
            execution=end.execution_state is not None or end.warnings > 0 or end.problem is not None,
            retry=end.retry is not None,
            leader=end.term is not None,
            counts_failures=end.failed_between is not None,
            opens=end.opening is not None,
            away=end.heard is not None,
            asks=any(start.wants for start in end.starts),
            ends_part=end.outcome_of_part is not None,
            passes=bool(end.passed),
        )
        parameters = _end_parameters(end)
        if end.pause is not None:
            return await self.write(
                "report_and_pause", lambda connection: end_and_pause(connection, script, parameters, end)
            )
        if (first := end.halts) is not None:
            return await self.write("halt", lambda connection: end_and_halt(connection, script, parameters, first))
        return await self.hot("report", script, parameters)

    async def claim(
        self, agent_id: str, session: str, *, limit: int, beat: int, boot_id: str, nonce: str
    ) -> list[r.StepRow]:
        values = {
            "agent": agent_id,
            "session": session,
            "limit": limit,
            "beat": beat,
            "boot": boot_id,
            "nonce": nonce,
        }

        def work(connection: Connection) -> list[r.StepRow]:
            if connection.dialect.name == "postgresql":
                rows = connection.execute(_PG_CLAIM, values).all()
            else:
                rows = connection.execute(_LITE_CLAIM[0], values).all()
                for statement in _LITE_CLAIM[1:] if rows else ():
                    connection.execute(statement, values)
            return sorted((_claimed(row) for row in rows), key=lambda step: step.id)

        return await self.single("claim", work)


def _begins(state: ExecutionState) -> tuple[ExecutionState, ...]:
    """Return the states that a new execution goes through."""
    if state is ExecutionState.SUCCEEDED:
        return (ExecutionState.RUNNING, state)
    return (state,)


def _step_rows(execution: str, plan: Plan, starts: dict[str, r.Start]) -> list[dict[str, Any]]:
    rows = []
    for number, stage in enumerate(plan.stages):
        pool = pool_id(stage.pool) if stage.pool else None
        for step in stage.chain:
            for lane, host in zip(stage.lanes, stage.hosts, strict=True):
                id_ = step_execution_id(execution, step, lane)
                start = starts.get(id_)
                rows.append(
                    {
                        "id": id_,
                        "stage": number,
                        "step": step,
                        "lane": lane,
                        "agent": host,
                        "state": start_state(start).value,
                        "spec": start.spec if start else None,
                        "attempt": start.attempt_id if start else None,
                        "number": start.number if start else 0,
                        "pool": pool,
                        "locked": int(start is not None and bool(start.wants)),
                    }
                )
    return rows


def _end_parameters(end: r.StepEnd) -> dict[str, Any]:
    outcome = end.outcome
    # Nobody has told how long the log is when nobody has told the end.
    total = int(outcome.get("log_end", 0)) if outcome.get("reported", True) else None
    return {
        "step": end.step_id,
        "execution": end.execution_id,
        "stage": end.stage,
        "attempt": end.attempt_id,
        "agent": end.agent_id,
        "session": end.session,
        "state": end.state.value,
        "control": end.control,
        "remaining_low": end.remaining[0],
        "remaining_high": end.remaining[1],
        "failed": int(end.failed),
        "missed": int(end.missed),
        "heard": end.heard or 0,
        "cause": dumps(end.cause) if end.cause else None,
        "failed_low": end.failed_between[0] if end.failed_between else 0,
        "failed_high": end.failed_between[1] if end.failed_between else 0,
        "skip_to": end.skip_to,
        "part_stop": end.part_stop,
        "in_parts": end.in_parts,
        "passed": passed_json(end.passed),
        "outcome_of_part": end.outcome_of_part,
        **opens(end.opening),
        "tail": end.tail,
        "tail_offset": end.tail_offset,
        "tail_length": len(end.tail),
        "tail_newlines": end.tail_newlines,
        "outcome_state": outcome.get("state", end.state.value),
        "exit_code": outcome.get("exit_code"),
        "signal": outcome.get("signal"),
        "error": outcome.get("error"),
        "detail": outcome.get("detail", ""),
        "duration": outcome.get("duration"),
        "outputs": dumps(outcome.get("outputs", {})),
        "outcome": dumps(outcome),
        "log_total": total,
        "starts": starts_json(end.starts),
        "asks": asks_json(end.execution_id, end.starts),
        "execution_state": end.execution_state.value if end.execution_state else None,
        "warnings": end.warnings,
        "delay": microseconds(end.retry.delay) if end.retry else 0,
        "silence": microseconds(end.retry.silence) if end.retry else 0,
        "held": PAUSED if end.paused else 0,
        "lease": end.term.name if end.term else "",
        "holder": end.term.holder if end.term else "",
        "term": end.term.term if end.term else 0,
        "problem": dumps(end.problem) if end.problem else None,
        "events": dumps(_end_events(end)),
    }


def _end_events(end: r.StepEnd) -> list[dict[str, Any]]:
    ended = {
        "step_execution": end.step_id,
        "attempt": end.attempt_id,
        **{name: end.outcome.get(name) for name in ("exit_code", "signal", "error", "duration", "log_end")},
        **({"skipped": list(end.skipped)} if end.skipped else {}),
    }
    if end.retry is not None:
        ended |= {"outcome": end.state.value, "delay": end.retry.delay, "silence": end.retry.silence}
    state = StepState.RETRY_WAIT if end.retry is not None else end.state
    events = [
        {"kind": f"step.{state}", "agent": end.agent_id, "data": ended},
        *map(told_event, end.told),
        *map(passed_event, end.passed),
        *map(started_event, end.starts),
    ]
    if end.execution_state is not None:
        data = {"problem": end.problem} if end.problem else {}
        events.append({"kind": f"execution.{ExecutionState(end.execution_state)}", "agent": None, "data": data})
    return events


def _claimed(row: Any) -> r.StepRow:
    values = dict(row._mapping)
    values |= {"spec": json.loads(values["spec"]), "state": StepState(values["state"])}
    return r.StepRow(**values, ended_at=None)

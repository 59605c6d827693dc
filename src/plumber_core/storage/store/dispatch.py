"""The hot path: submit, claim, report. See ``hot.py`` and ``script.py`` for the statements."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from plumber_core.ids import step_execution_id
from plumber_core.model import records as r
from plumber_core.model.plan import Plan
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.storage import hot
from plumber_core.storage.store.base import StorePart, dumps

_CLAIM_WHICH = """
SELECT id FROM step_executions WHERE agent_id = :agent AND state = 'ready' AND ready_at <= plumber_now()
ORDER BY ready_at, id LIMIT :limit"""
_CLAIM_SET = """
UPDATE step_executions SET state = 'running', attempt_number = attempt_number + 1, started_at = plumber_now(),
  attempt_id = id || '-' || (attempt_number + 1) || '-' || :nonce
WHERE id {which} AND state = 'ready' AND EXISTS (
  SELECT 1 FROM agents a WHERE a.id = :agent AND a.session = :session AND a.state = 'active' AND NOT a.conflict)
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
        stages = [{"stage": n, "remaining": len(stage.hosts)} for n, stage in enumerate(new.plan.stages)]
        created = {
            "kind": "execution.running",
            "agent": None,
            "data": {"task": new.task, "by": new.requested_by},
        }
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
            "credential": new.credential,
            "fleet_version": new.fleet_version,
            "stages": dumps(stages),
            "steps": dumps(steps),
            "starts": _starts_json(new.starts),
            "events": dumps([created, *map(_started_event, new.starts)]),
        }
        try:
            return await self.database.hot(hot.SUBMIT, parameters)
        except IntegrityError:  # the request id was used in this moment: the caller finds that execution
            return False

    async def end_step(self, end: r.StepEnd) -> bool:
        script = hot.end_step(
            end.sources,
            tail=bool(end.tail),
            lane_ends=end.lane_ends,
            skip_lane=end.skip_lane,
            skip_rest=end.skip_after_stage,
            starts=bool(end.starts),
            execution=end.execution_state is not None or end.warnings > 0,
        )
        return await self.database.hot(script, _end_parameters(end))

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

        return await self.database.single(work)


def _step_rows(execution: str, plan: Plan, starts: dict[str, r.Start]) -> list[dict[str, Any]]:
    rows = []
    for number, stage in enumerate(plan.stages):
        for step in stage.chain:
            for lane, host in enumerate(stage.hosts):
                id_ = step_execution_id(execution, step, lane)
                start = starts.get(id_)
                rows.append(
                    {
                        "id": id_,
                        "stage": number,
                        "step": step,
                        "lane": lane,
                        "agent": host,
                        "state": _start_state(start).value,
                        "spec": start.spec if start else None,
                        "attempt": start.attempt_id if start else None,
                        "number": start.number if start else 0,
                    }
                )
    return rows


def _start_state(start: r.Start | None) -> StepState:
    if start is None:
        return StepState.BLOCKED
    return StepState.RUNNING if start.session else StepState.READY


def _starts_json(starts: tuple[r.Start, ...]) -> str:
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
            }
            for start in starts
        ]
    )


def _started_event(start: r.Start) -> dict[str, Any]:
    data = {"step_execution": start.step_id, "step": start.step, "attempt": start.attempt_id}
    return {"kind": f"step.{_start_state(start)}", "agent": start.agent_id, "data": data}


def _end_parameters(end: r.StepEnd) -> dict[str, Any]:
    outcome = end.outcome
    total = int(outcome.get("log_end", 0))
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
        "starts": _starts_json(end.starts),
        "execution_state": end.execution_state.value if end.execution_state else None,
        "warnings": end.warnings,
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
    events = [
        {"kind": f"step.{end.state}", "agent": end.agent_id, "data": ended},
        *map(_started_event, end.starts),
    ]
    if end.execution_state is not None:
        data = {"problem": end.problem} if end.problem else {}
        events.append({"kind": f"execution.{ExecutionState(end.execution_state)}", "agent": None, "data": data})
    return events


def _claimed(row: Any) -> r.StepRow:
    values = dict(row._mapping)
    values |= {"spec": json.loads(values["spec"]), "state": StepState(values["state"])}
    return r.StepRow(**values, ended_at=None)

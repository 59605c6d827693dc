"""The two writes of the hot path: a new execution, and the end of a step with what follows from it."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from plumber_core.model.states import StepState
from plumber_core.storage.script import Script

_SESSIONS_HOLD = """NOT EXISTS (
    SELECT 1 FROM {rows:starts} LEFT JOIN agents a ON a.id = starts.value->>'agent'
      AND a.id {in:starts.agent} AND a.session = starts.value->>'session' AND a.state = 'active' AND NOT a.conflict
    WHERE starts.value->>'session' IS NOT NULL AND a.id IS NULL)"""

_NEW_ATTEMPTS = """
INSERT INTO attempts (id, step_execution_id, execution_id, agent_id, number, session, beat, boot_id, epoch, started_at)
SELECT starts.value->>'attempt', starts.value->>'id', :execution, starts.value->>'agent',
       CAST(starts.value->>'number' AS BIGINT), starts.value->>'session', CAST(starts.value->>'beat' AS BIGINT),
       starts.value->>'boot', (SELECT epoch FROM meta), plumber_now()
FROM {rows:starts} WHERE starts.value->>'session' IS NOT NULL AND {ok}"""

_NEW_EVENTS = """
INSERT INTO events (xid, at, kind, execution_id, agent_id, data)
SELECT plumber_xid(), plumber_now(), events.value->>'kind', :execution, events.value->>'agent', events.value->>'data'
FROM {rows:events} WHERE {ok}"""

SUBMIT = Script(
    guard=f"""
SELECT 1 FROM meta WHERE meta.fleet_version = CAST(:fleet_version AS BIGINT)
  AND (CAST(:credential AS TEXT) IS NULL OR EXISTS (
    SELECT 1 FROM credentials c WHERE c.secret_hash = :credential AND c.revoked_at IS NULL
      AND (c.expires_at IS NULL OR c.expires_at > plumber_now())))
  AND (CAST(:task_id AS TEXT) IS NULL OR EXISTS (
    SELECT 1 FROM tasks t WHERE t.id = :task_id AND t.deleted_at IS NULL
      AND (CAST(:current AS BIGINT) IS NULL OR t.revision = CAST(:current AS BIGINT))))
  AND {_SESSIONS_HOLD}""",
    writes=(
        """
INSERT INTO executions (id, task_id, task, revision, state, plan, parameters, requested_by, reason, request_id,
                        created_at)
SELECT :execution, CAST(:task_id AS TEXT), :task, CAST(:revision AS BIGINT), 'running', :plan, :parameters,
       :requested_by, :reason, CAST(:request_id AS TEXT), plumber_now() WHERE {ok}""",
        """
INSERT INTO progress (execution_id, stage, remaining, failed, control)
SELECT :execution, CAST(stages.value->>'stage' AS BIGINT), CAST(stages.value->>'remaining' AS BIGINT), 0, 0
FROM {rows:stages} WHERE {ok}""",
        """
INSERT INTO step_executions (id, execution_id, stage, step, lane, agent_id, round, state, spec, attempt_id,
                             attempt_number, ready_at, started_at)
SELECT steps.value->>'id', :execution, CAST(steps.value->>'stage' AS BIGINT), CAST(steps.value->>'step' AS BIGINT),
       CAST(steps.value->>'lane' AS BIGINT), steps.value->>'agent', 0, steps.value->>'state', steps.value->>'spec',
       steps.value->>'attempt', CAST(steps.value->>'number' AS BIGINT),
       CASE WHEN steps.value->>'state' = 'blocked' THEN NULL ELSE plumber_now() END,
       CASE WHEN steps.value->>'state' = 'running' THEN plumber_now() END
FROM {rows:steps} WHERE {ok}""",
        _NEW_ATTEMPTS,
        _NEW_EVENTS,
    ),
)

_END_ATTEMPT = """
UPDATE attempts SET ended_at = plumber_now(), state = :outcome_state, exit_code = CAST(:exit_code AS BIGINT),
  signal = CAST(:signal AS INTEGER), error = CAST(:error AS TEXT), detail = :detail,
  duration = CAST(:duration AS DOUBLE PRECISION), outputs = :outputs, outcome = :outcome,
  log_total = CAST(:log_total AS BIGINT), log_end = log_end + CAST(:tail_length AS BIGINT),
  log_newlines = log_newlines + CAST(:tail_newlines AS BIGINT),
  log_state = CASE WHEN log_end + CAST(:tail_length AS BIGINT) = CAST(:log_total AS BIGINT)
    THEN 'complete' ELSE 'open' END
WHERE id = :attempt AND {ok}"""
_TAIL = """
INSERT INTO log_chunks (attempt_id, start, stop, newlines_before, data)
SELECT a.id, a.log_end, a.log_end + CAST(:tail_length AS BIGINT), a.log_newlines, :tail
FROM attempts a WHERE a.id = :attempt AND {ok}"""
_END_STEP = """
UPDATE step_executions SET state = :state, ended_at = plumber_now() WHERE id = :step AND {ok}"""
_COUNT = """
UPDATE progress SET remaining = remaining - 1, failed = failed + CAST(:failed AS BIGINT)
WHERE execution_id = :execution AND stage = CAST(:stage AS BIGINT) AND {ok}"""
_SKIP_LANE = """
UPDATE step_executions SET state = 'skipped', ended_at = plumber_now()
WHERE execution_id = :execution AND stage = CAST(:stage AS BIGINT) AND agent_id = :agent AND state = 'blocked'
  AND {ok}"""
_SKIP_REST = """
UPDATE step_executions SET state = 'skipped', ended_at = plumber_now()
WHERE execution_id = :execution AND stage > CAST(:stage AS BIGINT) AND state = 'blocked' AND {ok}"""
_START = """
UPDATE step_executions SET
  state = CASE WHEN starts.value->>'session' IS NULL THEN 'ready' ELSE 'running' END,
  spec = starts.value->>'spec', attempt_id = starts.value->>'attempt',
  attempt_number = CAST(starts.value->>'number' AS BIGINT), ready_at = plumber_now(),
  started_at = CASE WHEN starts.value->>'session' IS NULL THEN NULL ELSE plumber_now() END
FROM {rows:starts} WHERE step_executions.id = starts.value->>'id' AND step_executions.id {in:starts.id}
  AND step_executions.state = 'blocked' AND {ok}"""
_END_EXECUTION = """
UPDATE executions SET state = COALESCE(CAST(:execution_state AS TEXT), state),
  warnings = warnings + CAST(:warnings AS BIGINT), problem = COALESCE(CAST(:problem AS TEXT), problem),
  ended_at = CASE WHEN CAST(:execution_state AS TEXT) IS NULL THEN ended_at ELSE plumber_now() END
WHERE id = :execution AND {ok}"""


@functools.cache
def end_step(
    sources: Sequence[StepState],
    *,
    tail: bool,
    lane_ends: bool,
    skip_lane: bool,
    skip_rest: bool,
    starts: bool,
    execution: bool,
) -> Script:
    """Return the script for one kind of ending; only what it needs is in it."""
    states = ", ".join(f"'{state}'" for state in sources)
    optional = (
        (tail, _TAIL),
        (lane_ends, _COUNT),
        (skip_lane, _SKIP_LANE),
        (skip_rest, _SKIP_REST),
        (starts, _START),
        (starts, _NEW_ATTEMPTS),
        (execution, _END_EXECUTION),
    )
    # COALESCE keeps PostgreSQL from the index of unended attempts, which is full of those that have just ended.
    guard = f"""
SELECT 1 FROM step_executions s JOIN attempts a ON a.id = s.attempt_id JOIN agents ag ON ag.id = a.agent_id
  JOIN progress p ON p.execution_id = s.execution_id AND p.stage = s.stage
WHERE s.id = :step AND a.id = :attempt AND a.agent_id = :agent AND s.state IN ({states}) AND COALESCE(a.ended_at, 0) = 0
  AND (CAST(:session AS TEXT) IS NULL OR (ag.session = :session AND ag.state <> 'revoked'))
  AND p.control = CAST(:control AS BIGINT)
  AND p.remaining BETWEEN CAST(:remaining_low AS BIGINT) AND CAST(:remaining_high AS BIGINT)
  AND (CAST(:tail_length AS BIGINT) = 0 OR a.log_end = CAST(:tail_offset AS BIGINT))
  {"AND " + _SESSIONS_HOLD if starts else ""} {{lock:s, p}}"""
    writes = [text for wanted, text in optional if wanted]
    # On SQLite the chunk must be placed before the attempt's end moves.
    ordered = [w for w in writes if w is _TAIL] + [_END_ATTEMPT, _END_STEP] + [w for w in writes if w is not _TAIL]
    return Script(guard, (*ordered, _NEW_EVENTS))

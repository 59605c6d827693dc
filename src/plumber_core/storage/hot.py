"""The two writes of the hot path: a new execution, and the end of a step with what follows from it."""

from __future__ import annotations

import functools

from plumber_core.model.asked import NEVER
from plumber_core.model.states import Actor, StepEvent
from plumber_core.storage.guards import FREED, allows, becomes
from plumber_core.storage.script import Script

_SESSIONS_HOLD = """NOT EXISTS (
    SELECT 1 FROM {rows:starts} LEFT JOIN agents a ON a.id = starts.value->>'agent'
      AND a.id {in:starts.agent} AND a.session = starts.value->>'session' AND a.state = 'active' AND NOT a.conflict
      AND a.session_epoch = (SELECT epoch FROM meta)
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

ASK = """
INSERT INTO holds (holder, execution_id, name, label, most, priority, overlap, most_waiting, asked_at)
SELECT asks.value->>'holder', :execution, asks.value->>'name', asks.value->>'label',
       CAST(asks.value->>'most' AS BIGINT), CAST(asks.value->>'priority' AS BIGINT), asks.value->>'overlap',
       CAST(asks.value->>'most_waiting' AS BIGINT), plumber_now()
FROM {rows:asks} WHERE {ok}"""
_SUBMIT_GUARD = f"""
SELECT 1 FROM meta WHERE meta.fleet_version = CAST(:fleet_version AS BIGINT)
  AND meta.epoch = COALESCE(CAST(:epoch AS BIGINT), meta.epoch)
  AND (CAST(:credential AS TEXT) IS NULL OR EXISTS (
    SELECT 1 FROM credentials c WHERE c.secret_hash = :credential AND c.revoked_at IS NULL
      AND (c.expires_at IS NULL OR c.expires_at > plumber_now())))
  AND (CAST(:task_id AS TEXT) IS NULL OR EXISTS (
    SELECT 1 FROM tasks t WHERE t.id = :task_id AND t.deleted_at IS NULL
      AND (CAST(:current AS BIGINT) IS NULL OR t.revision = CAST(:current AS BIGINT))))
  AND {_SESSIONS_HOLD}"""
_SUBMIT_WRITES = (
    """
INSERT INTO executions (id, task_id, task, revision, state, plan, parameters, requested_by, reason, request_id,
                        created_at, deadline_at, queue_timeout, offline_after, locked, ended_at)
SELECT :execution, CAST(:task_id AS TEXT), :task, CAST(:revision AS BIGINT), :state, :plan, :parameters,
       :requested_by, :reason, CAST(:request_id AS TEXT), plumber_now(), plumber_now() + CAST(:timeout AS BIGINT),
       CAST(:queue_timeout AS BIGINT), CAST(:offline_after AS BIGINT),
       CAST(:locked AS BIGINT) = 1,
       CASE WHEN :state IN ('queued', 'running') THEN NULL ELSE plumber_now() END WHERE {ok}""",
    """
INSERT INTO progress (execution_id, stage, remaining, failed, control, waits, opens_at)
SELECT :execution, CAST(stages.value->>'stage' AS BIGINT), CAST(stages.value->>'remaining' AS BIGINT), 0, 0,
       stages.value->>'waits', CASE WHEN stages.value->>'due' = 'yes' THEN plumber_now() END
FROM {rows:stages} WHERE {ok}""",
    """
INSERT INTO step_executions (id, execution_id, stage, step, lane, agent_id, round, state, spec, attempt_id,
                             attempt_number, pool, locked, ready_at, started_at)
SELECT steps.value->>'id', :execution, CAST(steps.value->>'stage' AS BIGINT), CAST(steps.value->>'step' AS BIGINT),
       CAST(steps.value->>'lane' AS BIGINT), steps.value->>'agent', 0, steps.value->>'state', steps.value->>'spec',
       steps.value->>'attempt', CAST(steps.value->>'number' AS BIGINT), steps.value->>'pool',
       CAST(steps.value->>'locked' AS INTEGER) = 1,
       CASE WHEN steps.value->>'state' = 'blocked' THEN NULL
         WHEN CAST(steps.value->>'locked' AS INTEGER) = 1 THEN """
    + str(NEVER)
    + """ ELSE plumber_now() END,
       CASE WHEN steps.value->>'state' = 'running' THEN plumber_now() END
FROM {rows:steps} WHERE {ok}""",
    _NEW_ATTEMPTS,
    _NEW_EVENTS,
)


@functools.cache
def submit(*, asks: bool) -> Script:
    """Return the script of a new execution, which ``asks`` for what it, or its first steps, have to hold."""
    return Script(_SUBMIT_GUARD, (*_SUBMIT_WRITES, *((ASK,) if asks else ())))


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
_GIVE_UP = """
UPDATE step_executions SET state = :state, ended_at = plumber_now(), cause = CAST(:cause AS TEXT)
WHERE id = :step AND {ok}"""
_RETRY_STEP = f"""
UPDATE step_executions SET state = {becomes(StepEvent.RETRY)}, retries = retries + 1, agent_id = {FREED},
  ready_at = CAST(:held AS BIGINT) + (SELECT CASE WHEN later.at > soon.at THEN later.at ELSE soon.at END
    FROM (SELECT plumber_now() + CAST(:delay AS BIGINT) AS at) soon,
         (SELECT CASE WHEN CAST(:silence AS BIGINT) = 0 THEN 0 ELSE CAST(:silence AS BIGINT) +
            CASE WHEN COALESCE(heard.last_seen_at, 0) > step_executions.started_at
              THEN heard.last_seen_at ELSE step_executions.started_at END END AS at
          FROM agents heard WHERE heard.id = :agent) later)
WHERE id = :step AND {{ok}}"""
_COUNT = """
UPDATE progress SET remaining = remaining - 1, failed = failed + CAST(:failed AS BIGINT),
  missed = missed + CAST(:missed AS BIGINT)
WHERE execution_id = :execution AND stage = CAST(:stage AS BIGINT) AND {ok}"""
_COUNT_LAST = """
UPDATE progress SET remaining = remaining - 1, failed = failed + CAST(:failed AS BIGINT),
  missed = missed + CAST(:missed AS BIGINT), outcome = :outcome_of_part, opens_at = plumber_now()
WHERE execution_id = :execution AND stage = CAST(:stage AS BIGINT) AND {ok}"""
_OPEN = """
UPDATE progress SET carried = CAST(:carried AS BIGINT), remaining = CAST(:lanes AS BIGINT), control = control + 1,
  missed = CAST(:left_out AS BIGINT), waits = CAST(:waits AS TEXT), opens_at = plumber_now() + CAST(:pause AS BIGINT)
WHERE execution_id = :execution AND stage = CAST(:opens AS BIGINT) AND {ok}"""
_SKIPPED = f"UPDATE step_executions SET state = {becomes(StepEvent.SKIP)}, ended_at = plumber_now()"
_MAY_SKIP = allows(StepEvent.SKIP, Actor.SERVER)
_SKIP_LANE = f"""
{_SKIPPED} WHERE execution_id = :execution AND stage BETWEEN CAST(:stage AS BIGINT) AND CAST(:skip_to AS BIGINT)
  AND agent_id = :agent AND id <> :step AND {_MAY_SKIP} AND {{ok}}"""
_SKIP_REST = f"""
{_SKIPPED} WHERE execution_id = :execution AND stage > CAST(:stage AS BIGINT)
  AND stage < CAST(:part_stop AS BIGINT) AND {_MAY_SKIP} AND {{ok}}"""
PASS = f"""
{_SKIPPED}, cause = passed.value->>'cause' FROM {{rows:passed}}
WHERE step_executions.id = passed.value->>'id' AND step_executions.id {{in:passed.id}} AND {_MAY_SKIP} AND {{ok}}"""
START = f"""
UPDATE step_executions SET locked = CAST(starts.value->>'locked' AS INTEGER) = 1,
  state = CASE WHEN starts.value->>'session' IS NULL
    THEN {becomes(StepEvent.UNBLOCK)} ELSE {becomes(StepEvent.BIND)} END,
  spec = starts.value->>'spec', attempt_id = starts.value->>'attempt',
  attempt_number = CAST(starts.value->>'number' AS BIGINT),
  ready_at = CASE WHEN CAST(starts.value->>'locked' AS INTEGER) = 1 THEN {NEVER} ELSE plumber_now() END,
  started_at = CASE WHEN starts.value->>'session' IS NULL THEN NULL ELSE plumber_now() END
FROM {{rows:starts}} WHERE step_executions.id = starts.value->>'id' AND step_executions.id {{in:starts.id}}
  AND {allows(StepEvent.UNBLOCK, Actor.SERVER)} AND {{ok}}"""
_END_EXECUTION = """
UPDATE executions SET state = COALESCE(CAST(:execution_state AS TEXT), state),
  warnings = warnings + CAST(:warnings AS BIGINT), problem = COALESCE(CAST(:problem AS TEXT), problem),
  ended_at = CASE WHEN CAST(:execution_state AS TEXT) IS NULL THEN ended_at ELSE plumber_now() END
WHERE id = :execution AND {ok}"""


def waits_since(row: str) -> str:
    """Return since when a ready step waits: for its locks from when it asked for them."""
    asked = f"(SELECT MIN(h.asked_at) FROM holds h WHERE h.holder = {row}.id)"
    return f"CASE WHEN {row}.ready_at < {NEVER} THEN {row}.ready_at ELSE {asked} END"


_BEGIN = """
UPDATE executions SET state = 'running', deadline_at = plumber_now() + CAST(:timeout AS BIGINT)
WHERE id = :execution AND {ok}"""
_LEADS = """EXISTS (SELECT 1 FROM leases l WHERE l.name = :lease AND l.holder = :holder
    AND l.term = CAST(:term AS BIGINT))"""
_FAILED_BETWEEN = "AND p.failed BETWEEN CAST(:failed_low AS BIGINT) AND CAST(:failed_high AS BIGINT)"
# COALESCE keeps PostgreSQL from the index of unended attempts, which is full of those that have just ended.
_HANDED_OUT = """
SELECT 1 FROM step_executions s JOIN attempts a ON a.id = s.attempt_id JOIN agents ag ON ag.id = a.agent_id
  JOIN progress p ON p.execution_id = s.execution_id AND p.stage = s.stage
WHERE s.id = :step AND a.id = :attempt AND a.agent_id = :agent AND COALESCE(a.ended_at, 0) = 0
  AND (CAST(:session AS TEXT) IS NULL OR (ag.session = :session AND ag.state <> 'revoked'
    AND ag.session_epoch = (SELECT epoch FROM meta)))
  AND (CAST(:tail_length AS BIGINT) = 0 OR a.log_end = CAST(:tail_offset AS BIGINT))"""
_WAITS_TOO_LONG = f"""
SELECT 1 FROM step_executions s JOIN executions e ON e.id = s.execution_id
  JOIN progress p ON p.execution_id = s.execution_id AND p.stage = s.stage
WHERE s.id = :step AND {waits_since("s")} + e.queue_timeout <= plumber_now()"""
# It may have come back since this was decided, and what it is about to claim is not taken from it.
_STILL_AWAY = """
SELECT 1 FROM step_executions s JOIN progress p ON p.execution_id = s.execution_id AND p.stage = s.stage
WHERE s.id = :step AND NOT EXISTS (
  SELECT 1 FROM agents ag WHERE ag.id = :agent AND ag.last_seen_at > CAST(:heard AS BIGINT))"""


@functools.cache
def end_step(
    event: StepEvent,
    actor: Actor,
    *,
    tail: bool,
    lane_ends: bool,
    skip_lane: bool,
    skip_rest: bool,
    starts: bool,
    execution: bool,
    retry: bool,
    leader: bool,
    counts_failures: bool,
    opens: bool,
    ends_part: bool = False,
    passes: bool = False,
    away: bool = False,
    asks: bool = False,
) -> Script:
    """Return the script for one kind of ending; only what it needs is in it. With ``away`` the step was never handed
    out because its host was offline."""
    optional = (
        (tail, _TAIL),
        (lane_ends, _COUNT_LAST if ends_part else _COUNT),
        (opens, _OPEN),
        (skip_lane, _SKIP_LANE),
        (skip_rest, _SKIP_REST),
        (passes, PASS),
        (starts, START),
        (starts, _NEW_ATTEMPTS),
        (asks, ASK),
        (execution, _END_EXECUTION),
    )
    handed_out = event is not StepEvent.EXPIRE and not away
    waited = _STILL_AWAY if away else _WAITS_TOO_LONG
    guard = f"""{_HANDED_OUT if handed_out else waited}
  AND {allows(event, actor, "s")}
  AND p.control = CAST(:control AS BIGINT)
  AND p.remaining BETWEEN CAST(:remaining_low AS BIGINT) AND CAST(:remaining_high AS BIGINT)
  {_FAILED_BETWEEN if counts_failures else ""}
  {"AND " + _LEADS if leader else ""}
  {"AND " + _SESSIONS_HOLD if starts else ""} {{lock:s, p}}"""
    ends = [_END_ATTEMPT] if handed_out else []
    ends.append(_RETRY_STEP if retry else _END_STEP if handed_out else _GIVE_UP)
    writes = [text for wanted, text in optional if wanted]
    # On SQLite the chunk must be placed before the attempt's end moves.
    ordered = [w for w in writes if w is _TAIL] + ends + [w for w in writes if w is not _TAIL]
    return Script(guard, (*ordered, _NEW_EVENTS))


_GO_ON = """
UPDATE progress SET waits = NULL, opens_at = NULL, control = control + 1, remaining = CASE
  WHEN CAST(:opens AS BIGINT) = CAST(:stage AS BIGINT) THEN CAST(:lanes AS BIGINT) ELSE 0 END,
  missed = CASE WHEN CAST(:opens AS BIGINT) = CAST(:stage AS BIGINT) THEN CAST(:left_out AS BIGINT) ELSE missed END
WHERE execution_id = :execution AND stage = CAST(:stage AS BIGINT) AND {ok}"""


_GO_ON_LAST = _GO_ON.replace("opens_at = NULL", "opens_at = plumber_now(), outcome = :outcome_of_part")


@functools.cache
def open_batch(*, starts: bool, opens: bool, ends: bool, ends_part: bool, passes: bool, asks: bool = False) -> Script:
    """Return the script that ends the wait of a stage; ``opens`` another one, or ``ends`` the execution,
    or only its part."""
    guard = f"""
SELECT 1 FROM progress p JOIN executions e ON e.id = p.execution_id
WHERE p.execution_id = :execution AND p.stage = CAST(:stage AS BIGINT) AND p.control = CAST(:control AS BIGINT)
  AND p.waits IS NOT NULL AND e.state = 'running' AND NOT e.cancel_requested
  AND (CAST(:forced AS BIGINT) = 1 OR p.opens_at <= plumber_now())
  {"AND " + _SESSIONS_HOLD if starts else ""} {{lock:p}}"""
    skips = _SKIP_REST.replace("stage > CAST", "stage >= CAST")
    optional = (
        (opens, _OPEN),
        (ends or ends_part, skips),
        (passes, PASS),
        (starts, START),
        (starts, _NEW_ATTEMPTS),
        (asks, ASK),
        (ends, _END_EXECUTION),
    )
    first = _GO_ON_LAST if ends_part else _GO_ON
    return Script(guard, (first, *(text for wanted, text in optional if wanted), _NEW_EVENTS))


@functools.cache
def begin(*, starts: bool, asks: bool) -> Script:
    """Return the script with which an execution begins that has got its turn and all that it has to hold."""
    guard = f"""
SELECT 1 FROM executions e WHERE e.id = :execution AND e.state = 'queued' AND NOT e.cancel_requested
  AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.holder = :execution AND COALESCE(h.granted_at, 0) = 0)
  {"AND " + _SESSIONS_HOLD if starts else ""} {{lock:e}}"""
    optional = ((starts, START), (starts, _NEW_ATTEMPTS), (asks, ASK))
    return Script(guard, (_BEGIN, *(text for wanted, text in optional if wanted), _NEW_EVENTS))

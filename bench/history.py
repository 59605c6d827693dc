"""Whether work slows down with what was done before: ready steps handed out beside none and a million finished runs."""

from __future__ import annotations

import contextlib
import json
import time

import psycopg

from bench.database import tidy
from bench.report import Report, Row
from bench.stats import median
from plumber_core.app import Plumber
from plumber_core.ids import new_nonce

ROUNDS = 5
READY = 240
"""Steps that are handed out in a round, eight at a time as to an agent with eight slots."""
SLOTS = 8
_SESSION = "session"
# Rows as the engine leaves them: one execution of one step, its attempt and its events.
_FINISHED = (
    """INSERT INTO executions (id, task, state, plan, parameters, requested_by, created_at, ended_at)
       SELECT {execution}, 'old', 'succeeded', {plan}, '{{}}', 'bench', n, n + 5 FROM generate_series(1, {count}) n""",
    """INSERT INTO progress (execution_id, stage) SELECT {execution}, 0 FROM generate_series(1, {count}) n""",
    """INSERT INTO step_executions (id, execution_id, agent_id, state, attempt_id, attempt_number, ready_at, started_at,
                                    ended_at)
       SELECT {execution} || '-0-0-0', {execution}, {agent}, 'succeeded', {execution} || '-0-0-0-1-x', 1, n, n, n + 5
       FROM generate_series(1, {count}) n""",
    """INSERT INTO attempts (id, step_execution_id, execution_id, agent_id, number, started_at, ended_at, state,
                             exit_code, log_total, log_state, outcome)
       SELECT {execution} || '-0-0-0-1-x', {execution} || '-0-0-0', {execution}, {agent}, 1, n, n + 5, 'succeeded', 0,
              0, 'complete', '{{"state":"succeeded","exit_code":0}}' FROM generate_series(1, {count}) n""",
    """INSERT INTO events (xid, at, kind, execution_id, agent_id, data)
       SELECT 1, n, kind, {execution}, {agent}, '{{}}' FROM generate_series(1, {count}) n,
              unnest(ARRAY['execution.running', 'step.running', 'step.succeeded', 'execution.succeeded']) kind""",
)


async def measure_history(report: Report, empty_url: str, full_url: str, finished: int) -> None:
    """Alternate between a database without history and one with so many finished executions."""
    rates: dict[str, list[float]] = {empty_url: [], full_url: []}
    async with Plumber(empty_url, local_agent=False) as empty, Plumber(full_url, local_agent=False) as full:
        agents = {url: await _agent(plumber) for url, plumber in ((empty_url, empty), (full_url, full))}
        _remember(full_url, agents[full_url], finished)
        for url in rates:
            await tidy(url)
        for _ in range(ROUNDS):
            for url, plumber in ((empty_url, empty), (full_url, full)):
                rates[url].append(await _claim_rate(plumber, agents[url]))
    without, beside = (median(rates[url]) for url in (empty_url, full_url))
    report.line(metric="claims", without=rates[empty_url], beside=rates[full_url], finished=finished)
    report.row(Row("steps claimed, no history", without, "/s"))
    row = Row(f"steps claimed, {finished} finished executions", beside, "/s", beside / without, 0.95, at_least=True)
    report.row(row)


async def _agent(plumber: Plumber) -> str:
    """Make an agent known that has a session, but no connection: what is started for it stays ready."""
    agent = (await plumber.agents.create(name="claimer")).agent.id
    await plumber._engine.store.open_session(
        agent, lambda row, epoch: {"session": _SESSION, "session_epoch": epoch, "boot_id": "boot"}
    )
    return agent


def _remember(url: str, agent: str, finished: int) -> None:
    execution = "'01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0')"
    plan = "'" + json.dumps({"task": "old", "revision": None, "steps": [], "stages": []}) + "'"
    with psycopg.connect(url, autocommit=True) as connection:
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            # Foreign keys hold here by themselves; to check each took most of the time.
            connection.execute(b"SET session_replication_role = replica")
        for statement in _FINISHED:
            text = statement.format(execution=execution, plan=plan, agent=f"'{agent}'", count=finished)
            connection.execute(text.encode())


async def _claim_rate(plumber: Plumber, agent: str) -> float:
    source = json.dumps({"name": "new", "on": "claimer", "steps": [{"name": "step", "run": "true"}]})
    for _ in range(READY):
        await plumber.executions.start(source=source)
    store, left, began = plumber._engine.store, READY, time.monotonic()
    while left:
        claimed = await store.claim(agent, _SESSION, limit=SLOTS, beat=1, boot_id="boot", nonce=new_nonce())
        left -= len(claimed)
        if not claimed:
            raise RuntimeError(f"{left} steps cannot be claimed")
    return READY / (time.monotonic() - began)

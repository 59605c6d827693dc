"""Agents' sessions: the chain that finds clones, and the exchange that reconciles both sides.

Source of the rules: ``docs/explanation/protocol.md``.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any, Literal

from plumber_core.engine.adoption import adopt
from plumber_core.engine.attempts import AttemptRef
from plumber_core.engine.connections import Connection
from plumber_core.engine.core import Engine
from plumber_core.engine.finish import Ending, finish
from plumber_core.engine.given_up import end_given_up
from plumber_core.engine.specs import spec_from_json
from plumber_core.ids import secret_hash
from plumber_core.model import limits
from plumber_core.model.inert import inert
from plumber_core.model.records import AgentRow, AttemptRow, StepRow
from plumber_core.model.states import Actor, AgentState, StepState
from plumber_core.protocol.messages import Ask, Assignment, Cancel, Hello, LogEnd, Settled, Welcome
from plumber_core.protocol.peer import Refused

Status = Literal["ok", "epoch", "stale", "conflict"]
Deliveries = tuple[Ask | Cancel | LogEnd | Settled, ...]


def session_token(credential: str, agent: str, hello: Hello, epoch: int) -> str:
    """Return the session that this hello opens: the same for a repeated hello, unknown to everybody else."""
    text = f"{agent}|{hello.incarnation}|{hello.nonce}|{epoch}"
    return hmac.new(credential.encode(), text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the chain says of a hello; ``values`` are the columns to change. ``reinstalled`` says that whoever greets
    knows nothing of what the agent ran."""

    status: Status
    values: dict[str, Any]
    reinstalled: bool = False


def judge(row: AgentRow, epoch: int, hello: Hello, session: str) -> Verdict:
    """Judge a hello by the session chain: a pure function of the agent's row."""
    if hello.epoch != epoch:
        return Verdict("epoch", {})
    opened = {
        "session": session,
        "previous_session": row.session,
        "session_used": False,
        "session_epoch": epoch,
        "incarnation": hello.incarnation,
        "nonce": inert(hello.nonce, 100),
        "conflict": False,
        "boot_id": inert(hello.boot_id, 64),
        "version": inert(hello.version, 64),
        "slots": max(1, min(hello.slots, 1000)),
        "facts": {inert(k, 64): inert(v, 256) for k, v in list(hello.facts.items())[:64]},
        "executors": [{"kind": e.kind, "schema": e.schema, "summary": e.summary} for e in hello.executors],
        "original": False,
        "install": inert(hello.install, 64) or None,
    }
    shown = secret_hash(hello.token) if hello.token else None
    reinstalled = _reinstalled(row, hello)
    if session == row.session:
        return Verdict("conflict" if row.conflict else "ok", {})
    if row.session is None or row.session_epoch < epoch:
        # A database that forgot its last commits may not know this token: shown again, it is still the same agent's.
        return Verdict("ok", {**opened, "previous_session": shown}, reinstalled)
    if reinstalled:
        return Verdict("ok", opened, reinstalled)
    if hello.incarnation < row.incarnation:
        return Verdict("stale", {})
    if shown == row.session:
        return Verdict("ok", opened)
    if shown == row.previous_session and not row.session_used:
        return Verdict("ok", {**opened, "previous_session": row.previous_session})
    return Verdict("conflict", {"conflict": True})


def _reinstalled(row: AgentRow, hello: Hello) -> bool:
    """Say whether a greeting comes from a state folder that is not the one in which the agent worked.

    Who has had a session shows its token. One that shows none and is of the same folder was sent before that, and came
    late.
    """
    same = bool(hello.install) and hello.install == row.install
    return row.session is not None and not hello.token and not same


async def open_session(
    engine: Engine, agent_id: str, credential: str, hello: Hello
) -> tuple[Welcome, Connection | None]:
    """Judge a hello, write what follows, and reconcile what both sides hold.

    Raises:
        Refused: the agent was deleted or revoked.
        Unavailable: the database does not answer.
    """
    verdicts: list[tuple[Verdict, str]] = []

    def decide(row: AgentRow, epoch: int) -> dict[str, Any] | None:
        session = session_token(credential, agent_id, hello, epoch)
        verdict = judge(row, epoch, hello, secret_hash(session))
        verdicts.append((verdict, session))
        return None if row.state is AgentState.REVOKED else verdict.values

    opened = await engine.store.open_session(agent_id, decide)
    if opened is None or opened[0].state is AgentState.REVOKED:
        raise Refused("this agent was revoked or deleted")
    row, epoch = opened
    verdict, session = verdicts[-1]
    engine.learn_epoch(epoch)
    if verdict.status in ("epoch", "stale") or (verdict.status == "conflict" and row.session != secret_hash(session)):
        if verdict.status != "epoch":
            await engine.store.add_event(f"agent.{verdict.status}", None, agent_id, {"incarnation": hello.incarnation})
        forgotten = await engine.store.forgotten() if verdict.status == "epoch" else 0.0
        return Welcome(verdict.status, epoch, forgotten=forgotten), None
    engine.fleet.stale()
    return await _welcome(engine, row, epoch, session, hello, reinstalled=verdict.reinstalled)


async def _welcome(
    engine: Engine, row: AgentRow, epoch: int, session: str, hello: Hello, *, reinstalled: bool
) -> tuple[Welcome, Connection]:
    accepts = row.state is AgentState.ACTIVE and not row.conflict
    connection = Connection(row.id, row.name, session, hello.boot_id, epoch, row.slots, accepts)
    live = await engine.store.live_steps(row.id)
    if reinstalled:
        await _lose(engine, live)
        live = []
    have = {held.attempt for held in hello.have}
    # What is only claimed may have been started in commits that the database lost.
    known = {attempt.id for step, attempt in live if step.state is not StepState.CLAIMED}
    adopted = await adopt(engine, connection, hello.have, known)
    if adopted.executions:
        live = await engine.store.live_steps(row.id)
    await engine.store.mark_reachable(row.id, sorted(have))
    deliveries = (
        *_reconcile(connection, live, have),
        *map(Settled, adopted.settled),
        *(Cancel(attempt) for attempt in adopted.ended),
        *await end_given_up(engine, row.id, have - known),
    )
    heartbeat = engine.heartbeat
    welcome = Welcome(
        "ok",
        epoch,
        session=session,
        agent=row.id,
        name=row.name,
        heartbeat=heartbeat,
        permit_ttl=limits.permit_ttl(heartbeat),
        lease=engine.patience.lease_at(heartbeat),
        deliveries=deliveries,
    )
    return welcome, connection


def _reconcile(connection: Connection, live: list[tuple[StepRow, AttemptRow]], have: set[str]) -> Deliveries:
    """Compare the database with the agent's inventory. What is missing there is asked about, never concluded."""
    deliveries: list[Ask | Cancel] = []
    for step, attempt in live:
        same = attempt.session == connection.session_hash
        session = connection.session if same else ""
        assignment = Assignment(
            attempt.id,
            session,
            attempt.beat,
            attempt.epoch,
            spec_from_json(step.spec or {}),
            permit=step.state is not StepState.CLAIMED,
            cancel=step.cancel_requested,
        )
        connection.hand(assignment)
        if attempt.id not in have:
            deliveries.append(Ask(assignment))
        elif step.cancel_requested:
            connection.cancelled[attempt.id] = step.kill_requested
            deliveries.append(Cancel(attempt.id, kill=step.kill_requested))
    return tuple(deliveries)


async def _lose(engine: Engine, live: list[tuple[StepRow, AttemptRow]]) -> None:
    """The agent came back without its memory: what it ran has an unknown outcome, and is never started again."""
    for step, attempt in live:
        outcome = {"state": "unknown", "error": "state_lost"}
        ref = AttemptRef.parse(attempt.id)
        await finish(engine, Ending(ref, step.agent_id, StepState.LOST, Actor.AGENT, outcome, reported=False))

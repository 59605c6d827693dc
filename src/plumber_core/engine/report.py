"""An agent reports the end of an attempt: the first report wins, a late truth stands beside it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from plumber_core.engine.attempts import ID_LENGTH, AttemptRef
from plumber_core.engine.claim import claim_soon
from plumber_core.engine.connections import Connection
from plumber_core.engine.core import Engine
from plumber_core.engine.finish import Ending, Finished, finish
from plumber_core.engine.logs import LogWriter, check_frames, grew
from plumber_core.errors import NotFound, ProtocolError
from plumber_core.model import limits
from plumber_core.model.inert import inert
from plumber_core.model.states import Actor, StepState
from plumber_core.protocol.codec import to_json
from plumber_core.protocol.digest import LogDigest
from plumber_core.protocol.frames import newlines
from plumber_core.protocol.messages import Outcome, Report, Reported
from plumber_core.protocol.peer import SessionOver

MOST = 2**52
STATE_OF = {
    "succeeded": StepState.SUCCEEDED,
    "failed": StepState.FAILED,
    "timed_out": StepState.TIMED_OUT,
    "cancelled": StepState.CANCELLED,
    "unknown": StepState.LOST,
}


async def report(engine: Engine, connection: Connection, logs: LogWriter, message: Report) -> Reported:
    """Record a report and answer it.

    Raises: Unavailable, ProtocolError (a tail that is no frames).
    """
    try:
        ref = AttemptRef.parse(message.attempt)
        done = await _record(engine, connection, logs, ref, message)
    except NotFound:
        return await _beside(engine, connection, message)
    if not done.recorded:
        return await _beside(engine, connection, message)
    connection.done(message.attempt)
    end = message.tail_offset + len(message.tail)
    if message.tail:
        grew(engine, message.attempt, end)
    elif message.outcome.log_end:
        found = await engine.store.step_of(message.attempt)
        end = found[1].log_end if found else 0
    if 0 < message.outcome.log_end != len(message.tail):
        logs.verify_soon(message.attempt, message.tail_offset, message.tail)
    claim_soon(engine, connection)
    return Reported("recorded", end, done.next)


async def _record(
    engine: Engine, connection: Connection, logs: LogWriter, ref: AttemptRef, message: Report
) -> Finished:
    state = _state(message.outcome)
    _check_tail(message)
    ending = Ending(
        ref,
        connection.agent_id,
        state,
        Actor.AGENT,
        outcome_json(message.outcome),
        connection.session_hash,
        message.tail_offset,
        message.tail,
        newlines(message.tail),
        boot_id=connection.boot_id,
    )
    done = await finish(engine, ending, keep=connection)
    if not done.recorded and state is StepState.CANCELLED:
        # Nobody has asked for it: whoever ended the command, the step has failed.
        ending = dataclasses.replace(ending, state=StepState.FAILED)
        done = await finish(engine, ending, keep=connection)
    if done.recorded or not message.tail:
        return done
    # The log's end is not where the tail begins, perhaps because an earlier append arrived after all.
    await logs.append(connection.agent_id, connection.epoch, ref.attempt, message.tail_offset, message.tail)
    return await finish(engine, dataclasses.replace(ending, tail=b"", tail_offset=0, newlines=0), keep=connection)


async def _beside(engine: Engine, connection: Connection, message: Report) -> Reported:
    status: Any = await engine.store.store_late(
        message.attempt, connection.agent_id, outcome_json(message.outcome), connection.session_hash
    )
    if status == "over":
        raise SessionOver
    if status == "unknown" and await engine.store.deleted_at(message.attempt[:ID_LENGTH]) is not None:
        # Nobody will ask for it any more: the agent may forget it, and its log.
        engine.counts["plumber_reports_deleted_total"] += 1
        return Reported("late", message.outcome.log_end)
    end = 0
    if status == "unknown" and await engine.store.report_stray(
        message.attempt, connection.agent_id, outcome_json(message.outcome)
    ):
        return Reported("late")
    if status != "unknown":
        connection.done(message.attempt)
        found = await engine.store.read_log(message.attempt, 0, 1)
        end = found[0].log_end if found else 0
    engine.counts[f"plumber_reports_{status}_total"] += 1
    return Reported(status, end)


def _check_tail(message: Report) -> None:
    check_frames(message.tail)
    if message.tail_offset == 0 and len(message.tail) == message.outcome.log_end:
        digest = LogDigest()
        digest.feed(0, message.tail)
        if not digest.matches(message.outcome.sha256_stdout, message.outcome.sha256_stderr):
            raise ProtocolError(reason="the log does not have the digest that its outcome names")


def _state(outcome: Outcome) -> StepState:
    return STATE_OF[outcome.state]


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as it is stored: whatever an agent says is inert text and numbers within bounds.

    Raises:
        ProtocolError: a number that no outcome can have.
    """
    numbers = (outcome.exit_code or 0, outcome.signal or 0, outcome.log_end, outcome.duration, outcome.orphans)
    if not all(math.isfinite(number) and abs(number) < MOST for number in numbers) or outcome.log_end < 0:
        raise ProtocolError(reason="an outcome with an impossible number")
    value: dict[str, Any] = to_json(outcome)
    outputs = {inert(key, 200): inert(text, limits.MAX_OUTPUT_VALUES) for key, text in outcome.outputs.items()}
    if sum(len(key) + len(text) for key, text in outputs.items()) > limits.MAX_OUTPUT_VALUES:
        raise ProtocolError(reason=f"outputs of more than {limits.MAX_OUTPUT_VALUES} characters")
    texts = {"detail": inert(outcome.detail, 4000), "error": outcome.error and inert(outcome.error, 100)}
    return {**value, **texts, "outputs": outputs}

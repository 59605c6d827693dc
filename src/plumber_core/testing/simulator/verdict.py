"""The checks after everything has healed: does what is recorded equal what happened, and is nothing stuck?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from plumber_core.engine.attempts import AttemptRef
from plumber_core.model.states import TERMINAL_EXECUTION_STATES, TERMINAL_STEP_STATES
from plumber_core.protocol.frames import STDERR, STDOUT, decode_frames
from plumber_core.runner.wire import SPOOL_NAME
from plumber_core.testing.simulator.machine import FOLDER
from plumber_core.testing.simulator.truth import number_of

if TYPE_CHECKING:
    from plumber_core.testing.simulator.simulation import Simulation

_TERMINAL = frozenset(state.value for state in TERMINAL_STEP_STATES)
_ENDED = frozenset(state.value for state in TERMINAL_EXECUTION_STATES)
_TAKEN = "SELECT agent_id FROM step_executions WHERE execution_id = ? AND step = ?"
_SEEN = ("succeeded", "failed", "timed_out", "cancelled")


def open_executions(simulation: Simulation) -> list[Any]:
    """Return the executions that have not ended, without those that wait for an agent of which two copies live: it
    takes no steps until an operator has decided."""
    rows = simulation.database.rows("SELECT id, state FROM executions")
    unended = [row for row in rows if row[1] not in _ENDED]
    if not unended or not simulation.truth.cloned:
        return unended
    conflicts = _conflicts(simulation)
    waits = {
        row[0]: any(_has_nobody(simulation, row[0], s, conflicts) for s in _steps(simulation, row[0]))
        for row in unended
    }
    if any(waits.values()):
        # Who waits for what one of them holds waits as long.
        asking = simulation.database.rows("SELECT execution_id FROM holds WHERE granted_at IS NULL AND refused IS NULL")
        waits |= dict.fromkeys((row[0] for row in asking), True)
    return [row for row in unended if not waits[row[0]]]


def _conflicts(simulation: Simulation) -> set[str]:
    """Return the agents of which two copies live: they tell nothing until an operator has decided."""
    return {row[0] for row in simulation.database.rows("SELECT id FROM agents WHERE conflict")}


def _has_nobody(simulation: Simulation, execution: str, step: Any, conflicts: set[str]) -> bool:
    """Say whether all who could run a step are in conflict; of a pool, those that have another lane of it cannot."""
    state, number, _, agent, _, pool = step
    if pool is None or state != "ready":
        return agent in conflicts
    rows = simulation.database.rows
    members = {row[0] for row in rows("SELECT agent_id FROM pool_members WHERE pool = ?", pool)}
    taken = {row[0] for row in rows(_TAKEN, execution, number)}
    return members <= conflicts | taken


def judge(simulation: Simulation) -> None:
    """Check everything; violations are noted in the truth."""
    truth = simulation.truth
    for row in open_executions(simulation):
        truth.violated("I7", f"execution {row[0]} is still {row[1]}: {_steps(simulation, row[0])}")
    if simulation.submitted < simulation.plan.executions:
        truth.violated("I7", f"only {simulation.submitted} executions could be submitted")
    for fault in simulation.loop.faults:
        truth.violated("I0", f"a program failed: {fault!r}")
    if truth.violations:
        return
    ended = (
        "SELECT s.id, s.state FROM step_executions s JOIN executions e ON e.id = s.execution_id WHERE e.ended_at > 0"
    )
    for row in simulation.database.rows(ended):
        if row[1] not in _TERMINAL:
            truth.violated("I7", f"{row[0]} is {row[1]} in an execution that has ended")
    _check_attempts(simulation)
    _check_pools(simulation)
    _check_held(simulation)
    _check_clone(simulation)
    _check_rounds(simulation)


def _steps(simulation: Simulation, execution: str) -> list[Any]:
    query = "SELECT state, step, lane, agent_id, attempt_id, pool FROM step_executions WHERE execution_id = ?"
    return [row for row in simulation.database.rows(query, execution) if row[0] not in _TERMINAL]


def _check_attempts(simulation: Simulation) -> None:
    query = "SELECT id, state, exit_code, signal, error, outcome, late, log_end, log_total, log_state FROM attempts"
    for id_, state, code, signal, error, outcome, late, *log in simulation.database.rows(query):
        run = simulation.truth.runs.get(id_)
        if state in _SEEN and error != "never_ran":
            _compare(simulation, id_, (code, signal), run)
        if late is not None and json.loads(late)["state"] in _SEEN and json.loads(late).get("error") != "never_ran":
            told = json.loads(late)
            _compare(simulation, id_, (told.get("exit_code"), told.get("signal")), run)
        if run is not None and state == "never_ran" and not simulation.database.rolled_back:
            simulation.truth.violated("I3", f"{id_} is said never to have run, and did on {run.machine}")
        if run is not None:
            _check_log(simulation, run, outcome, *log)


def _compare(simulation: Simulation, attempt: str, told: tuple[Any, Any], run: Any) -> None:
    truth = simulation.truth
    if run is None:
        if told != (None, None):
            truth.violated("I3", f"{attempt} is recorded with {told} and was never executed")
    elif truth.code_of(run) != told:
        truth.violated("I3", f"{attempt} is recorded with {told}, in truth {truth.code_of(run)}")


def _check_log(simulation: Simulation, run: Any, outcome: str | None, end: int, total: int | None, state: str) -> None:
    truth = simulation.truth
    rows = simulation.database.rows(
        "SELECT start, stop, data FROM log_chunks WHERE attempt_id = ? ORDER BY start", run.attempt
    )
    position = 0
    for start, stop, data in rows:
        if start != position or stop - start != len(data):
            truth.violated("I5", f"the log of {run.attempt} has a gap or a repeat at {position}: {start}")
            return
        position = stop
    if position != end:
        truth.violated("I5", f"the log of {run.attempt} ends at {position}, said to end at {end}")
    if state == "mismatch":
        truth.violated("I5", f"the log of {run.attempt} does not have its digest")
    whole = b"".join(bytes(row[2]) for row in rows)
    said = {STDOUT: bytearray(), STDERR: bytearray()}
    for frame in decode_frames(whole):
        said[frame.stream] += frame.data
    told = json.loads(outcome) if outcome else {}
    seen = told.get("state") in _SEEN
    untold = run.crashed or number_of(run.machine) in {str(int(id_[:8], 16)) for id_ in _conflicts(simulation)}
    untold = untold or _let_go(simulation, run)
    complete = seen and (state in ("complete", "verified") or not untold)
    for stream, true in zip((STDOUT, STDERR), run.said, strict=True):
        if not true.startswith(said[stream]) or (complete and said[stream] != true):
            truth.violated("I5", f"stream {stream} of {run.attempt}: {len(said[stream])} bytes stored of {len(true)}")


def _let_go(simulation: Simulation, run: Any) -> bool:
    """Say whether a failover forgot a log that a full disk had no room for once the server had it: a limit."""
    path = f"{FOLDER}/{SPOOL_NAME}/{run.attempt}.log"
    disks = [agent.machine.disk for agent in simulation.agents if agent.machine.name == run.machine]
    return bool(simulation.database.rolled_back) and any(path in disk.emptied for disk in disks)


def _check_pools(simulation: Simulation) -> None:
    """I16: a step of a pool is its member's who ran it, and its lanes are different members'."""
    query = """SELECT id, execution_id, step || '/' || round, state, agent_id, attempt_id, pool FROM step_executions
        WHERE pool IS NOT NULL AND state IN ('succeeded', 'failed', 'timed_out', 'lost') ORDER BY id"""
    members = set(simulation.database.rows("SELECT pool, agent_id FROM pool_members"))
    taken: set[tuple[str, str, str]] = set()
    for id_, execution, step, state, agent, attempt, pool in simulation.database.rows(query):
        run = simulation.truth.runs.get(attempt)
        if (pool, agent) not in members or (run is not None and int(number_of(run.machine)) != int(agent[:8], 16)):
            simulation.truth.violated("I16", f"{id_} is {state} on {agent}, and {run} ran it")
        if (execution, step, agent) in taken and not simulation.database.rolled_back:
            simulation.truth.violated("I16", f"{id_} is {state} on {agent}, as another lane of its step is")
        taken.add((execution, step, agent))


def _check_rounds(simulation: Simulation) -> None:
    """I18: a round has the rows that the resume told of, and no others."""
    rows = simulation.database.rows
    laid = "SELECT count(*) FROM step_executions WHERE execution_id = ? AND round = ? AND by_hand IS NULL"
    for execution, data in rows("SELECT execution_id, data FROM events WHERE kind = 'execution.resumed'"):
        told = json.loads(data)
        [(count,)] = rows(laid, execution, told["round"])
        if count != told["steps"]:
            seen = f"round {told['round']} of {execution} has {count} steps, told were {told['steps']}"
            simulation.truth.violated("I18", seen)


def _check_held(simulation: Simulation) -> None:
    """I4: every exit that a supervisor has seen and that its disk still holds was recorded."""
    query = "SELECT id FROM attempts WHERE outcome IS NOT NULL OR late IS NOT NULL"
    recorded = {row[0] for row in simulation.database.rows(query)}
    known = {row[0] for row in simulation.database.rows("SELECT id FROM executions")}
    for agent in simulation.agents:
        for attempt, entry in agent.held().items():
            stray = AttemptRef.parse(attempt).execution not in known
            if attempt not in recorded and not stray and not simulation.truth.cloned:
                seen = f"{attempt} ({entry.state}) is held by {agent.machine.name} and not recorded"
                simulation.truth.violated("I4", seen)


def _check_clone(simulation: Simulation) -> None:
    """I9: of two copies of an agent that are alive, not both may have a session."""
    if not simulation.truth.cloned:
        return
    by_id: dict[str, list[str]] = {}
    for agent in simulation.agents:
        if agent.loop is not None and agent.loop.connected.is_set() and agent.machine.link_alive:
            by_id.setdefault(agent.id, []).append(agent.machine.name)
    conflicts = _conflicts(simulation)
    for id_, machines in by_id.items():
        if len(machines) > 1 and id_ not in conflicts:
            simulation.truth.violated("I9", f"{' and '.join(machines)} both serve as {id_}, and nobody was told")

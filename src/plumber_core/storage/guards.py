"""The transition tables in SQL: guards of updates, and triggers that refuse what no guard should have let through."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from itertools import product

from sqlalchemy import Connection, text

from plumber_core.errors import TransitionRefused
from plumber_core.model import states
from plumber_core.model.states import STEP_RULES, Actor, Move, StepEvent

MARK = "plumber_transition"
"""What a trigger's error begins with; the two states follow."""


FREED = "CASE WHEN pool IS NULL THEN agent_id ELSE 'any-' || stage || '-' || lane END"
"""What a step's agent becomes when it has none any more: in a pool whoever is free next (``ids.free_host``)."""


def allows(event: StepEvent, actor: Actor, row: str = "step_executions") -> str:
    """Return the condition under which ``actor`` may cause ``event``, but for the fence."""
    rule = STEP_RULES[event]
    fitting = [_fits(move, row) for move in rule.moves] if actor in rule.actors else ["1 = 0"]
    return f"({' OR '.join(fitting)})"


def guard(event: StepEvent, actor: Actor, row: str = "step_executions") -> str:
    """Return ``allows`` with the fence: a fenced event must name the current attempt as ``:attempt``."""
    fence = f" AND {row}.attempt_id = :attempt" if STEP_RULES[event].fenced else ""
    return allows(event, actor, row) + fence


def becomes(event: StepEvent, row: str = "step_executions") -> str:
    """Return the state that a guarded row gets by ``event``."""
    moves = STEP_RULES[event].moves
    if len(moves) == 1:
        return f"'{moves[0].target}'"
    cases = " ".join(f"WHEN {_fits(move, row)} THEN '{move.target}'" for move in moves)
    return f"CASE {cases} END"


def _fits(move: Move, row: str) -> str:
    asked = {None: "", True: f" AND {row}.cancel_requested", False: f" AND NOT {row}.cancel_requested"}
    return f"({row}.state IN ({_listed(move.sources)}){asked[move.cancelled]})"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


Edges = Iterable[tuple[str, str]]
_TABLES: tuple[tuple[str, type[StrEnum], Edges], ...] = (
    ("step_executions", states.StepState, states.STEP_EDGES),
    ("executions", states.ExecutionState, states.EXECUTION_EDGES),
    ("agents", states.AgentState, states.AGENT_EDGES),
)
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION plumber_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '{MARK} % %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
END $$"""


def install_triggers(connection: Connection) -> None:
    """Make the database refuse every edge that the tables do not have; what is there already is left alone.

    Run after each migration, so that the triggers follow the tables of this release and survive a table's rebuild.
    """
    install = _install_postgres if connection.dialect.name == "postgresql" else _install_sqlite
    for table, kind, edges in _TABLES:
        install(connection, table, [str(state) for state in kind], {(str(a), str(b)) for a, b in edges})


def _install_postgres(connection: Connection, table: str, known: list[str], edges: set[tuple[str, str]]) -> None:
    # The condition is part of the trigger: a legal move costs no call.
    listed = _listed(f"{source}>{target}" for source, target in edges)
    when = f"OLD.state IS DISTINCT FROM NEW.state AND (OLD.state || '>' || NEW.state) NOT IN ({listed})"
    digest = hashlib.sha256((when + _FUNCTION).encode()).hexdigest()
    name = f"{table}_edges"
    which = "tgname = :name AND tgrelid = CAST(:table AS regclass)"
    query = text(f"SELECT obj_description(oid, 'pg_trigger') FROM pg_trigger WHERE {which}")
    if connection.execute(query, {"name": name, "table": table}).scalar_one_or_none() == digest:
        return
    for statement in (
        _FUNCTION,
        f"DROP TRIGGER IF EXISTS {name} ON {table}",
        f"CREATE TRIGGER {name} BEFORE UPDATE OF state ON {table} FOR EACH ROW WHEN ({when})"
        " EXECUTE FUNCTION plumber_refuse()",
        f"COMMENT ON TRIGGER {name} ON {table} IS '{digest}'",
    ):
        connection.exec_driver_sql(statement.replace("%", "%%"))


def _install_sqlite(connection: Connection, table: str, known: list[str], edges: set[tuple[str, str]]) -> None:
    listed = _listed(f"{source}>{target}" for source, target in edges)
    # A message must be a literal there, so each refused pair has its own.
    refused = [(a, b) for a, b in product(known, known) if a != b and (a, b) not in edges]
    cases = " ".join(f"WHEN '{a}>{b}' THEN RAISE(ABORT, '{MARK} {a} {b}')" for a, b in refused)
    statement = (
        f"CREATE TRIGGER {table}_edges BEFORE UPDATE OF state ON {table}"
        f" WHEN OLD.state IS NOT NEW.state AND (OLD.state || '>' || NEW.state) NOT IN ({listed})"
        f" BEGIN SELECT CASE OLD.state || '>' || NEW.state {cases} ELSE RAISE(ABORT, '{MARK} ? ?') END; END"
    )
    query = text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = :name")
    if connection.execute(query, {"name": f"{table}_edges"}).scalar_one_or_none() != statement:
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_edges")
        connection.exec_driver_sql(statement)


def refusal(error: BaseException, counts: Counter[str]) -> TransitionRefused | None:
    """Return, and count, what a trigger has refused; None for any other error."""
    found = str(error).partition(MARK)[2].split()
    if len(found) < 2:
        return None
    counts["plumber_illegal_transition_total"] += 1
    return TransitionRefused(current=found[0], wanted=found[1], event="update")

"""What an execution, or one step of it on one host, has to hold before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from plumber_core.errors import InvalidRequest
from plumber_core.model.asked import EVERYTHING, Asked
from plumber_core.model.locks import AGENT, Concurrency, Lock
from plumber_core.model.plan import Plan, PlanLock, Queue
from plumber_core.planning.advance import Advance
from plumber_core.planning.settling import Settling
from plumber_core.planning.templates import as_text
from plumber_core.reasons import because

RUNS, LOCKS = "run:", "lock:"
"""What keys of queues and names of locks begin with: a queue and a lock may have the same name."""


def planned_locks(locks: Sequence[Lock], field: str, settled: Settling) -> tuple[PlanLock, ...]:
    """Return locks with the parameters of this run in their names.

    Raises: InvalidRequest (a name is empty then).
    """
    return tuple(PlanLock(_named(lock.name, field, settled), lock.most) for lock in locks)


def planned_queue(written: Concurrency | None, task: str, settled: Settling) -> Queue | None:
    """Return the queue of executions, whose key is the task's name unless it says another.

    Raises: InvalidRequest (its key is empty).
    """
    if written is None:
        return None
    key = task if written.key is None else _named(written.key, "concurrency.key", settled)
    return Queue(key, written.limit, written.overlap, written.priority, written.max_queued)


def _named(text: str, field: str, settled: Settling) -> str:
    name = as_text(settled.value(field, text)).strip()
    if not name:
        raise InvalidRequest(field=field, reason=because("empty"))
    return name


def wanted_by_execution(plan: Plan) -> tuple[Asked, ...]:
    """Return what an execution has to hold while it runs."""
    found = [] if plan.concurrency is None else [_turn(plan.concurrency)]
    hosts = _hosts(plan) if any(AGENT in lock.name for lock in plan.locks) else ()
    for lock in plan.locks:
        found += [_lock(plan, lock, host) for host in hosts] if AGENT in lock.name else [_lock(plan, lock, "")]
    return _merged(found)


def wanted_by_step(plan: Plan, step: int, host: str) -> tuple[Asked, ...]:
    """Return what a step has to hold while it runs on a host."""
    return _merged(_lock(plan, lock, host) for lock in plan.steps[step].locks)


def given_back(plan: Plan, step: int, host: str, move: Advance) -> set[str]:
    """Return the names of what may be free with the end of a step; whoever was skipped with it had asked too."""
    names = {wanted.name for wanted in wanted_by_step(plan, step, host)}
    if move.execution is not None:
        names |= {wanted.name for wanted in wanted_by_execution(plan)}
    return names | ({EVERYTHING} if move.halts else set())


def _turn(queue: Queue) -> Asked:
    return Asked(RUNS + queue.key, queue.key, queue.limit, queue.priority, queue.overlap, queue.most_waiting)


def _lock(plan: Plan, lock: PlanLock, host: str) -> Asked:
    label = lock.name.replace(AGENT, plan.hosts.get(host, host))
    return Asked(LOCKS + lock.name.replace(AGENT, host), label, lock.most)


def _merged(found: Iterable[Asked]) -> tuple[Asked, ...]:
    """The same name twice is one: the stricter."""
    merged: dict[str, Asked] = {}
    for wanted in found:
        known = merged.get(wanted.name)
        if known is None or known.most is None or (wanted.most is not None and wanted.most < known.most):
            merged[wanted.name] = wanted
    return tuple(merged.values())


def _hosts(plan: Plan) -> tuple[str, ...]:
    """Return the agents of all lanes that have one from the beginning."""
    found = (host for stage in plan.stages if not stage.pool for host in stage.hosts)
    return tuple(dict.fromkeys(found))


def check_pools(plan: Plan) -> None:
    """Refuse locks by the host where nobody knows yet who that will be.

    Raises: InvalidRequest.
    """
    for stage in plan.stages:
        if not stage.pool:
            continue
        for step in stage.chain:
            named = (*plan.locks, *plan.steps[step].locks)
            if any(AGENT in lock.name for lock in named):
                raise InvalidRequest(
                    field=f"steps.{plan.steps[step].name}.locks", reason=because("lock_pool", placeholder=AGENT)
                )

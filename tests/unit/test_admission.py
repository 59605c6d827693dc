"""Who may hold what: never too many at once, fair in order, and nobody waits for ever."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumber_core.model.agent import AgentRef
from plumber_core.model.asked import Asked
from plumber_core.model.holds import Hold
from plumber_core.model.locks import Lock
from plumber_core.model.plan import Plan
from plumber_core.model.task import Task
from plumber_core.planning.admission import admit
from plumber_core.planning.expand import expand
from plumber_core.planning.holds import wanted_by_execution, wanted_by_step
from plumber_core.planning.parse import check_task, parse_task


def hold(id: int, holder: str, name: str = "x", most: int | None = 1, *, granted: bool = False, **more: object) -> Hold:
    return Hold(id, holder, holder, Asked(name, name, most, **more), granted)  # type: ignore[arg-type]


def test_an_exclusive_lock_has_one_holder_and_the_next_in_order_gets_it() -> None:
    rows = [hold(1, "a", granted=True), hold(2, "b"), hold(3, "c")]
    assert admit(rows).granted == ()
    assert admit(rows[1:]).granted == ("b",)


def test_shared_holders_hold_together_but_not_past_an_exclusive_one_that_waits() -> None:
    rows = [hold(1, "a", most=None, granted=True), hold(2, "b", most=None), hold(3, "c"), hold(4, "d", most=None)]
    assert admit(rows).granted == ("b",)
    assert admit([rows[2], rows[3]]).granted == ("c",)


def test_a_semaphore_has_so_many_holders_and_the_strictest_counts() -> None:
    rows = [hold(n, f"h{n}", most=3) for n in range(5)]
    assert admit(rows).granted == ("h0", "h1", "h2")
    assert admit([hold(1, "a", most=3, granted=True), hold(2, "b", most=1)]).granted == ()


def test_who_asks_for_two_gets_both_or_neither_and_closes_both() -> None:
    both = [hold(2, "b", "x"), hold(3, "b", "y")]
    assert admit([hold(1, "a", "x", granted=True), *both, hold(4, "c", "y")]).granted == ()
    assert admit([*both, hold(4, "c", "y")]).granted == ("b",)


def step(id: int, execution: str, name: str, *, granted: bool = False) -> Hold:
    return replace(hold(id, f"{execution}-step", name, granted=granted), execution_id=execution)


def test_who_waits_for_an_execution_closes_nothing_to_its_steps() -> None:
    """Seed 84: an execution had its turn, and its step waited for a lock behind one that waited for that turn."""
    turn, behind = hold(1, "a", "run", granted=True), [hold(2, "b", "run"), hold(3, "b", "x")]
    assert admit([turn, *behind, step(4, "a", "x")]).granted == ("a-step",)
    assert admit([turn, *behind, step(4, "c", "x")]).granted == ()
    held = step(0, "c", "x", granted=True)
    assert admit([held, turn, *behind, step(4, "a", "x")]).granted == ()


def test_two_executions_whose_steps_wait_behind_each_other_s_followers_go_on() -> None:
    turns = [hold(1, "a", "run a", granted=True), hold(2, "b", "run b", granted=True)]
    waiting = [hold(3, "c", "run a"), hold(4, "c", "y"), hold(5, "d", "run b"), hold(6, "d", "x")]
    assert admit([*turns, *waiting, step(7, "a", "x")]).granted == ()
    assert admit([*turns, *waiting, step(7, "a", "x"), step(8, "b", "y")]).granted == ("b-step",)
    assert admit([*turns, *waiting, step(7, "b", "y"), step(8, "a", "x")]).granted == ("a-step",)


def test_the_highest_priority_goes_first_and_then_the_first() -> None:
    rows = [hold(1, "a"), hold(2, "b", priority=5), hold(3, "c", priority=5)]
    assert admit(rows).granted == ("b",)


def test_one_more_execution_is_skipped_where_the_task_says_so() -> None:
    verdict = admit([hold(1, "a", granted=True), hold(2, "b", overlap="skip")])
    assert verdict.refused == {"b": {"code": "overlap_skipped", "arguments": {"key": "x", "by": "a"}}}
    assert admit([hold(2, "b", overlap="skip")]).granted == ("b",)


def test_a_full_queue_takes_nobody() -> None:
    rows = [hold(1, "a", granted=True), hold(2, "b", overlap="queue", most_waiting=1)]
    verdict = admit([*rows, hold(3, "c", overlap="queue", most_waiting=1)])
    assert verdict.refused == {"c": {"code": "queue_full", "arguments": {"key": "x", "limit": 1}}}


def test_the_newest_replaces_who_runs_and_who_waits_before_it() -> None:
    rows = [
        hold(1, "a", granted=True, overlap="replace"),
        hold(2, "b", overlap="queue"),
        hold(3, "c", overlap="replace"),
    ]
    assert admit(rows).replaced == {"a": "c", "b": "c"}
    two = [hold(n, f"h{n}", most=2, granted=True) for n in (1, 2)]
    assert admit([*two, hold(3, "c", most=2, overlap="replace")]).replaced == {"h1": "c"}


NAMES = "xyz"
REQUESTS = st.lists(
    st.tuples(st.dictionaries(st.sampled_from(NAMES), st.sampled_from([1, 2, None]), min_size=1), st.integers(0, 1)),
    min_size=1,
    max_size=9,
)


@given(REQUESTS, st.data())
def test_never_too_many_never_past_another_and_everybody_in_the_end(
    requests: list[tuple[dict[str, int | None], int]], data: st.DataObject
) -> None:
    rows: list[Hold] = []
    waiting = list(enumerate(requests))
    served: set[str] = set()
    while waiting or rows:
        holders = sorted({row.holder for row in rows if row.granted})
        if waiting and (not holders or data.draw(st.booleans())):
            number, (wanted, priority) = waiting.pop(0)
            rows += [
                hold(len(served) * 100 + number * 10 + n, f"h{number}", name, most, priority=priority)
                for n, (name, most) in enumerate(sorted(wanted.items()))
            ]
        elif holders:
            ended = data.draw(st.sampled_from(holders))
            rows = [row for row in rows if row.holder != ended]
        before = list(rows)
        granted = set(admit(rows).granted)
        rows = [replace(row, granted=row.granted or row.holder in granted) for row in rows]
        served |= granted
        _never_too_many(rows)
        _nobody_is_passed_over(before, granted)
        assert not rows or any(row.granted for row in rows), "something is free and nobody gets it"
    assert served == {f"h{number}" for number in range(len(requests))}


def _never_too_many(rows: list[Hold]) -> None:
    held: dict[str, list[Hold]] = defaultdict(list)
    for row in rows:
        if row.granted:
            held[row.wanted.name].append(row)
    for holders in held.values():
        minds = [row.wanted.most for row in holders if row.wanted.most is not None]
        assert not minds or len(holders) <= min(minds)


def _nobody_is_passed_over(before: list[Hold], granted: set[str]) -> None:
    asking = [row for row in before if not row.granted]
    for late in (row for row in asking if row.holder in granted):
        for early in asking:
            first = (-early.wanted.priority, early.id) < (-late.wanted.priority, late.id)
            if early.wanted.name == late.wanted.name and first:
                assert early.holder in granted, f"{late.holder} went past {early.holder}"


SOURCE = "name: t\non: all\n{more}\nsteps: [{{name: one, run: '1'{step}}}]\n"


def plan(more: str = "", step: str = "", **parameters: str) -> Plan:
    task: Task = parse_task(SOURCE.format(more=more, step=step)).task
    bound = {name: parameters[name] for name in task.params}
    return expand(task, bound, [AgentRef("1", "web-1"), AgentRef("2", "web-2")])


def test_a_lock_by_the_host_is_another_one_on_each() -> None:
    found = plan(step=", locks: ['host:{agent}', 'db:shared']")
    one, two = (wanted_by_step(found, 0, host) for host in found.stages[0].hosts)
    assert [(wanted.label, wanted.most) for wanted in one] == [("host:web-1", 1), ("db", None)]
    assert one[0].name != two[0].name and one[1] == two[1]
    assert wanted_by_execution(found) == () and not found.has_to_wait and found.holds


def test_locks_of_a_task_are_held_for_all_of_its_hosts() -> None:
    found = plan("locks: ['host:{agent}', {name: licences, limit: 20}, 'host:web-1']")
    told = [(wanted.label, wanted.most) for wanted in wanted_by_execution(found)]
    assert told == [("host:web-1", 1), ("host:web-2", 1), ("licences", 20), ("host:web-1", 1)]
    assert found.has_to_wait and Plan.from_json(found.to_json()) == found


def test_the_key_of_a_queue_is_the_tasks_name_or_holds_parameters() -> None:
    [wanted] = wanted_by_execution(plan("concurrency: {}"))
    assert (wanted.label, wanted.most, wanted.overlap) == ("t", 1, "queue")
    more = "params: {env: {}}\nconcurrency: {key: 'deploy-${{ params.env }}', limit: 2, overlap: skip, priority: 3}"
    [wanted] = wanted_by_execution(plan(more, env="prod"))
    assert (wanted.label, wanted.most, wanted.overlap, wanted.priority) == ("deploy-prod", 2, "skip", 3)
    assert Plan.from_json(plan(more, env="x").to_json()) == plan(more, env="x")


@pytest.mark.parametrize(
    ("more", "step", "code"),
    [
        ("locks: db", "", "wrong_type"),
        ("locks: ['']", "", "wrong_type"),
        ("locks: [{name: db, limit: 0}]", "", "wrong_type"),
        ("locks: [{name: db, shared: true, limit: 2}]", "", "wrong_type"),
        ("locks: [a]", ", locks: [b]", "locks_twice"),
        ("concurrency: 1", "", "wrong_type"),
        ("concurrency: {limit: 0}", "", "wrong_type"),
        ("concurrency: {overlap: wait}", "", "not_a_choice"),
        ("concurrency: {limits: 2}", "", "unknown_key"),
        ("concurrency: {key: '${{ agent.name }}'}", "", "not_here"),
    ],
)
def test_what_cannot_be_a_lock_or_a_queue_is_told(more: str, step: str, code: str) -> None:
    assert code in {problem.code for problem in check_task(SOURCE.format(more=more, step=step))}


def test_how_locks_are_written() -> None:
    task = parse_task(
        SOURCE.format(more="locks: [a, 'b:shared', 'c:exclusive', 'd:1', {name: e, limit: 3}]", step="")
    ).task
    assert [(lock.name, lock.most) for lock in task.locks] == [("a", 1), ("b", None), ("c", 1), ("d:1", 1), ("e", 3)]
    assert Task.from_definition(task.definition()) == task
    assert isinstance(task.locks[0], Lock)

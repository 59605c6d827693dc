"""Hosts that are offline: who is left out, who has failed, and when too few are left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumber_core.model.offline import absence_of, needed
from plumber_core.model.plan import Absence, Batch, Plan, PlanStep, Stage
from plumber_core.model.records import Progress
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.model.task import Task
from plumber_core.planning.absence import left_for, too_few
from plumber_core.planning.advance import Advance, Ended, Left, advance
from plumber_core.planning.catch_up import catch_up
from plumber_core.planning.parse import check_task, parse_task

OK, BAD, SKIPPED, EXPIRED = StepState.SUCCEEDED, StepState.FAILED, StepState.SKIPPED, StepState.EXPIRED
SKIP = Absence("skip")


def plan_of(*stages: tuple[tuple[int, ...], str], offline: Absence | None = SKIP) -> Plan:
    """Return a plan of (chain, hosts) stages; a host is a letter."""
    count = 1 + max(step for chain, _ in stages for step in chain)
    steps = tuple(PlanStep(f"s{n}", "shell") for n in range(count))
    return Plan("t", 1, steps, tuple(Stage(chain, tuple(hosts)) for chain, hosts in stages), offline=offline)


class Run:
    """Carries out a plan by its own rules, as the engine does."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.counters = {n: Progress(n, len(stage.hosts), 0, 0) for n, stage in enumerate(plan.stages)}
        self.cells = {(s, lane): StepState.BLOCKED for g in plan.stages for s in g.chain for lane in g.lanes}
        self.ended: ExecutionState | None = None
        self.warnings = 0
        self.move = Advance(0, lane_ends=False)
        self._start((plan.stages[0].chain[0], lane) for lane in plan.stages[0].lanes)

    def _start(self, places: object) -> None:
        for place in places:  # type: ignore[attr-defined]
            assert self.cells[place] is StepState.BLOCKED
            self.cells[place] = StepState.READY

    @property
    def open(self) -> list[tuple[int, int]]:
        return [place for place, state in self.cells.items() if state is StepState.READY]

    def end(self, step: int, lane: int, state: StepState, *, missed: bool = False) -> None:
        assert self.ended is None and self.cells[step, lane] is StepState.READY
        stage = self.plan.stage_of(step, lane)
        left: dict[int, Left] = {}
        while True:
            ended = Ended(step, lane, state, missed=missed)
            move = advance(self.plan, self.counters[stage], ended, left=left)
            if move.unsure is None:
                break
            left[move.unsure] = left_for(self.plan, move, lane, self._blocked(move.unsure))
        self.cells[step, lane], self.move = state, move
        self._apply(move, self.plan.stages[stage].host(lane))

    def _blocked(self, number: int) -> dict[int, int]:
        stage = self.plan.stages[number]
        blocked = (lane for lane in stage.lanes if self.cells[stage.chain[0], lane] is StepState.BLOCKED)
        return dict.fromkeys(blocked, stage.chain[0])

    def _apply(self, move: Advance, host: str) -> None:
        seen = self.counters[move.stage]
        if move.lane_ends:
            counted = (seen.remaining - 1, seen.failed + move.failed)
            self.counters[move.stage] = Progress(
                move.stage, *counted, 0, seen.carried, missed=seen.missed + move.missed
            )
        if move.opening is not None:
            opens = move.opening
            self.counters[opens.stage] = Progress(opens.stage, opens.lanes, 0, 0, opens.carried, missed=opens.missed)
        for number in range(move.stage, move.skip_to + 1) if move.skip_lane else ():
            self._skip(number, host)
        self.warnings += move.warnings
        self._start(move.starts)
        self.ended = move.execution

    def _skip(self, number: int, host: str) -> None:
        stage = self.plan.stages[number]
        for step in stage.chain:
            for lane in stage.lanes:
                if stage.host(lane) == host and self.cells[step, lane] is StepState.BLOCKED:
                    self.cells[step, lane] = SKIPPED


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (None, None),
        ("fail", Absence("fail")),
        ("skip", Absence("skip")),
        ("queue 24h", Absence("queue", 86400.0)),
        ({"policy": "queue  1d12h", "quorum": "90%"}, Absence("queue", 129600.0, "90%")),
        ({"policy": "skip", "quorum": 2}, Absence("skip", 0.0, 2)),
    ],
)
def test_what_a_task_says_of_offline_hosts(written: object, expected: Absence | None) -> None:
    values = {"name": "t", "on": "all", "steps": [{"name": "one", "run": "1"}], "offline": written}
    task = Task.model_validate(values)
    assert absence_of(task.offline) == expected
    assert Task.from_definition(task.definition()) == task
    assert Plan.from_json(plan_of(((0,), "a"), offline=expected).to_json()).offline == expected


@pytest.mark.parametrize(
    "written", ["queue", "queue soon", "wait", "{quorum: 3}", "{policy: skip, quorum: 120%}", "[]"]
)
def test_what_is_no_policy_is_told_at_its_line(written: str) -> None:
    source = f"name: t\non: all\noffline: {written}\nsteps: [{{name: one, run: '1'}}]\n"
    [problem] = check_task(source)
    assert (problem.code, problem.line) == ("wrong_type", 3)


def test_it_is_a_key_of_tasks_alone() -> None:
    source = "name: t\non: all\nsteps: [{name: one, run: '1', offline: skip}]\n"
    assert [problem.code for problem in check_task(source)] == ["unknown_key"]
    assert parse_task("name: t\non: all\noffline: skip\nsteps: [{name: one, run: '1'}]").task.offline == "skip"


def test_how_many_have_to_be_there() -> None:
    assert [needed(SKIP, hosts) for hosts in (0, 1, 100)] == [0, 1, 1]
    assert needed(Absence("queue", 1.0, "90%"), 7) == 7
    assert needed(Absence("queue", 1.0, "90%"), 100) == 90
    assert needed(Absence("skip", 0.0, 5), 3) == 3


def test_a_skipped_host_is_out_for_good_and_the_others_go_on() -> None:
    run = Run(plan_of(((0,), "ab"), ((1,), "ab"), ((2,), "b")))
    run.end(0, 1, SKIPPED, missed=True)
    assert (run.move.later, run.warnings, run.open) == ((1, 2), 1, [(0, 0)])
    run.end(0, 0, OK)
    assert run.open == [(1, 0)]
    run.end(1, 0, OK)
    # Nobody is left for the last step.
    assert run.ended is ExecutionState.FAILED and run.move.short is not None


def test_without_tolerance_a_missed_host_has_failed() -> None:
    run = Run(plan_of(((0,), "ab"), ((1,), "ab"), offline=Absence("queue", 60.0)))
    run.end(0, 1, EXPIRED, missed=True)
    run.end(0, 0, OK)
    assert (run.ended, run.warnings) == (ExecutionState.FAILED, 0)


@pytest.mark.parametrize(("quorum", "end"), [("90%", ExecutionState.SUCCEEDED), ("95%", ExecutionState.FAILED)])
def test_a_quorum_decides_the_result(quorum: str, end: ExecutionState) -> None:
    plan = plan_of(((0,), "abcdefghij"), offline=Absence("queue", 60.0, quorum))
    run = Run(plan)
    run.end(0, 3, EXPIRED, missed=True)
    for lane in (0, 1, 2, 4, 5, 6, 7, 8, 9):
        run.end(0, lane, OK)
    assert (run.ended, run.warnings) == (end, 1)
    if run.move.short is not None:
        arguments = {"step": "s0", "there": 9, "hosts": 10, "needed": 10}
        assert too_few(plan, run.move.short) == {"code": "too_few_hosts", "arguments": arguments}


def test_a_real_failure_is_one_whatever_the_quorum() -> None:
    run = Run(plan_of(((0,), "abc"), offline=Absence("queue", 60.0, 1)))
    run.end(0, 0, BAD)
    run.end(0, 1, EXPIRED, missed=True)
    run.end(0, 2, OK)
    assert run.ended is ExecutionState.FAILED


def test_in_a_rollout_hosts_are_missed_in_the_whole_block_and_a_gate_is_never_skipped() -> None:
    def batch(number: int, *, gate: bool = False) -> Batch:
        return Batch("b", number, 2, None, 0, gate=gate, own=False)

    stages = (
        Stage((0,), ("a", "b"), batch=batch(1)),
        Stage((1,), ("a", "b"), batch=batch(1, gate=True)),
        Stage((0,), ("c", "d"), first_lane=2, batch=batch(2)),
    )
    plan = Plan("t", 1, (PlanStep("s0", "shell"), PlanStep("g", "shell")), stages, offline=Absence("skip", 0.0, 3))
    run = Run(plan)
    run.end(0, 0, SKIPPED, missed=True)
    run.end(0, 1, OK)
    assert run.open == [(1, 1)]
    run.end(1, 1, OK)
    run.end(0, 2, SKIPPED, missed=True)
    run.end(0, 3, OK)
    assert (run.ended, run.warnings) == (ExecutionState.FAILED, 2)
    stopped = Run(plan)
    stopped.end(0, 0, OK)
    stopped.end(0, 1, OK)
    stopped.end(1, 0, EXPIRED, missed=True)
    stopped.end(1, 1, OK)
    assert stopped.ended is ExecutionState.FAILED


@given(st.lists(st.tuples(st.integers(1, 2), st.sets(st.sampled_from("abcd"), min_size=1)), min_size=1), st.data())
def test_every_execution_ends_and_who_was_missed_never_starts_again(
    shape: list[tuple[int, set[str]]], data: st.DataObject
) -> None:
    stages, following = [], 0
    for length, hosts in shape:
        stages.append((tuple(range(following, following + length)), "".join(sorted(hosts))))
        following += length
    quorum = data.draw(st.sampled_from([None, 1, "50%", "100%"]))
    run = Run(plan_of(*stages, offline=Absence("skip", 0.0, quorum)))
    missing: set[str] = set()
    while run.ended is None:
        step, lane = data.draw(st.sampled_from(run.open))
        host = run.plan.stages[run.plan.stage_of(step, lane)].host(lane)
        assert host not in missing
        missed = data.draw(st.booleans())
        missing |= {host} if missed else set()
        run.end(step, lane, SKIPPED if missed else OK, missed=missed)
    assert run.ended in (ExecutionState.SUCCEEDED, ExecutionState.FAILED)
    assert (run.ended is ExecutionState.FAILED) == (run.move.short is not None)
    if run.ended is ExecutionState.SUCCEEDED:
        assert run.warnings == len(missing)
        # Whoever has to look at the whole comes to the same end.
        assert catch_up(run.plan, run.cells).execution is ExecutionState.SUCCEEDED

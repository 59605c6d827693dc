"""Random tasks with steps, blocks and rollouts, and the plans of tasks."""

from __future__ import annotations

from hypothesis import strategies as st

from plumber_core.model.agent import AgentRef
from plumber_core.model.plan import Plan
from plumber_core.model.task import Gate, Rollout, Step, Task
from plumber_core.planning.expand import expand

_AMOUNT = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "10%", "30%", "100%"]))
ROLLOUTS = st.builds(
    Rollout,
    batches=st.sampled_from(["1", "100%", "1 2 100%", "30%", "1 *2", "2 +1", "1 10% 50% 100%"]),
    max_failures=st.one_of(
        _AMOUNT, st.fixed_dictionaries({"batch": _AMOUNT}), st.fixed_dictionaries({"total": _AMOUNT, "batch": _AMOUNT})
    ),
    pause=st.sampled_from([None, "manual", "1m"]),
    gate=st.sampled_from([None, Gate(run="true"), Gate(run="true", on="h0"), Gate(run="true", on="any 2 of all")]),
    order=st.sampled_from(["name", "random"]),
)


@st.composite
def tasks(draw: st.DrawFn) -> tuple[Task, int]:
    steps = []
    for number in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            inner = tuple(
                Step(name=f"s{number}.{n}", run="true", on_failure=draw(st.sampled_from(["stop", "stop", "continue"])))
                for n in range(draw(st.integers(1, 3)))
            )
            steps.append(Step(name=f"s{number}", steps=inner, rollout=draw(st.none() | ROLLOUTS)))
        else:
            rollout = draw(st.none() | ROLLOUTS)
            steps.append(Step(name=f"s{number}", run="true", rollout=rollout))
    return Task(name="t", on="all", steps=tuple(steps)), draw(st.integers(2, 9))


def planned(task: Task, hosts: int) -> Plan:
    return expand(task, {}, [AgentRef(f"h{n}", f"h{n}") for n in range(hosts)])

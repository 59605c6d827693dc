"""From a task to the parts of its plan: which of its steps simply follow each other, and which do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from plumber_core.model.parts import Part
from plumber_core.model.task import Step, Task
from plumber_core.planning.conditions import asks_after_failure, calls_status


class _Placed(NamedTuple):
    """A step with the stages that it has in the plan."""

    step: Step
    stages: range


def parts_of(task: Task, spans: Sequence[range]) -> tuple[Part, ...]:
    """Return the parts of a task's plan; none if its stages simply follow each other.

    Args:
        task: the task.
        spans: the stages of each of its steps, then of each that always runs.
    """
    placed = [_Placed(step, span) for step, span in zip((*task.steps, *task.always), spans, strict=True)]
    main, always = placed[: len(task.steps)], placed[len(task.steps) :]
    is_graph = any(step.needs is not None for step in task.steps)
    if not (always or is_graph or any(_has_conditions(one.step) for one in main)):
        return ()
    parts = list(_branches(main) if is_graph else _row(main))
    return (*parts, *(Part(one.stages.start, one.stages.stop, always=True) for one in always))


def _has_conditions(step: Step) -> bool:
    return step.when is not None or any(inner.when is not None for inner in step.steps or ())


def _branches(placed: Sequence[_Placed]) -> Iterator[Part]:
    """Every step is a part of its own."""
    index = {one.step.name: number for number, one in enumerate(placed)}
    for step, stages in placed:
        needs = tuple(index[name] for name in step.needs or ())
        yield Part(stages.start, stages.stop, needs, after_failure=asks_after_failure(step.when), name=step.name)


def _row(placed: Sequence[_Placed]) -> Iterator[Part]:
    """Steps that follow each other are one part, but for those that ask how it went so far."""
    asking = 0

    def group(one: _Placed) -> tuple[bool, int]:
        nonlocal asking
        asks = calls_status(one.step.when)
        asking += asks
        return asks, asking

    for number, (_, together) in enumerate(groupby(placed, key=group)):
        steps = list(together)
        needs = (number - 1,) if number else ()
        after_failure = asks_after_failure(steps[0].step.when)
        yield Part(steps[0].stages.start, steps[-1].stages.stop, needs, after_failure=after_failure)

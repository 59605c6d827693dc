"""``needs``: what turns the list of a task's steps into a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from plumber_core.planning.blocks import Place
from plumber_core.planning.problems import Report, nearest


def needs_of(step: Mapping[str, Any]) -> list[str]:
    """Return what a step names as its needs, as far as that is names."""
    needs = step.get("needs")
    return [name for name in needs if isinstance(name, str)] if isinstance(needs, list | tuple) else []


def check_needs(places: Sequence[Place], report: Report) -> None:
    """Report needs that do not exist, stand twice or go in a circle."""
    own = {name: place for place in places if isinstance(name := place.step.get("name"), str)}
    outer = {name: place for name, place in own.items() if place.kind in ("step", "block")}
    for place in outer.values():
        seen: set[str] = set()
        needs = place.step.get("needs")
        for index, need in enumerate(needs if isinstance(needs, list) else ()):
            if isinstance(need, str):
                _check_need(place, index, need, outer, own, seen, report)
    _check_circle(outer, report)


def _check_need(
    place: Place,
    index: int,
    need: str,
    outer: Mapping[str, Place],
    own: Mapping[str, Place],
    seen: set[str],
    report: Report,
) -> None:
    path = (*place.path, "needs", index)
    if need in seen:
        report.add("needs_twice", path, name=need)
    elif need in own and need not in outer:
        report.add("needs_inner", path, name=need)
    elif need not in outer:
        report.add("unknown_step", path, nearest=nearest(need, outer), name=need)
    seen.add(need)


def _check_circle(outer: Mapping[str, Place], report: Report) -> None:
    graph = {name: [need for need in needs_of(place.step) if need in outer] for name, place in outer.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # Each one needs the one before it.
        circle: list[str] = list(reversed(error.args[1]))
        place = outer[circle[0]]
        report.add("needs_circle", (*place.path, "needs"), circle=" -> ".join(circle))


def ancestors(places: Sequence[Place]) -> dict[str, frozenset[str]] | None:
    """Return by the name of each step outside of blocks which others end before it begins; None for a list, which
    goes from the top to the bottom."""
    outer = [place.step for place in places if place.kind in ("step", "block")]
    if not any("needs" in step for step in outer):
        return None
    needs = {step["name"]: needs_of(step) for step in outer if isinstance(step.get("name"), str)}
    return {name: frozenset(_above(name, needs)) for name in needs}


def _above(name: str, needs: Mapping[str, list[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(needs.get(name, ()))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += needs.get(one, ())
    return found

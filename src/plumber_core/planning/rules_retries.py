"""When a step may be tried again: never where that could run it twice without leave."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from plumber_core.model.limits import STOP_AFTER_MIN
from plumber_core.model.task import Step
from plumber_core.planning.document import Path
from plumber_core.planning.problems import Report

_KEYS = ("name", "retry", "idempotent", "on_disconnect", "stop_after", "lost_after")


def check_retries(step: dict[str, Any], path: Path, report: Report) -> None:
    """Report a retry that nobody has allowed to run twice, and what contradicts itself about losing an agent."""
    try:
        read = Step.model_validate({"name": "step", **{key: step[key] for key in _KEYS[1:] if key in step}})
    except ValidationError:
        return
    _check_stop(read, path, report)
    if read.retry is None:
        return
    if "lost" in read.retry.on and not read.idempotent and read.stop_after is None:
        report.add("unsafe_retry", (*path, "retry", "on"))
    if read.retry.exit_codes and "failed" not in read.retry.on:
        report.add("exit_codes_unused", (*path, "retry", "exit_codes"), at_key=True)


def _check_stop(step: Step, path: Path, report: Report) -> None:
    if step.stop_after is None:
        if step.on_disconnect == "stop_after":
            report.add("stop_after_missing", (*path, "on_disconnect"))
        return
    if step.on_disconnect == "continue":
        report.add("stop_after_unused", (*path, "stop_after"), at_key=True)
    if step.stop_after < STOP_AFTER_MIN:
        report.add("stop_after_too_short", (*path, "stop_after"), limit=f"{STOP_AFTER_MIN:g}")

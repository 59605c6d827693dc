"""What a resume would touch. Class names are component names of the OpenAPI document, as in ``views.py``, whose rules
hold here too."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from plumber_core.model.states import ExecutionState

WhichRevision = Literal["old", "new"]
"""The revision that the execution has run so far, or its task's newest one."""


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class ResumeStep(_View):
    """A step, and on how many hosts it would run anew."""

    index: int
    name: str
    hosts: int


class ResumeHost(_View):
    """A host that would go on: which ``steps`` run anew, by their indexes, and which are ``passed``.

    Of ``unknown`` of them nobody knows how they ended: their commands may still run.
    """

    id: str
    name: str
    steps: list[int]
    passed: list[int] = []
    unknown: int = 0


class ResumePreview(_View):
    """What a resume would do now: ``kept`` steps stay as they ended, with their outputs.

    Of many hosts ``hosts`` has the first ones, ``hosts_total`` counts all. ``left_out`` counts hosts on which something
    would stay that has not ended well. ``newest`` is the task's newest revision, ``diff`` what it changes against the
    one that was run so far; None and empty where there is no other.
    """

    execution: str
    state: ExecutionState
    round: int
    revision: int | None
    newest: int | None = None
    diff: str = ""
    steps: list[ResumeStep] = []
    steps_total: int = 0
    hosts: list[ResumeHost] = []
    hosts_total: int = 0
    kept: int = 0
    left_out: int = 0

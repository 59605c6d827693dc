"""What is wrong with a task file, at its place."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Problem(BaseModel):
    """One problem of a task: a code with arguments, where it stands, and what would have been right.

    ``line`` and ``column`` count from 1; 0 means that the source has no position (JSON values from a program).
    ``path`` is the place in the document, such as ``steps[2].timeout``. ``nearest`` is the closest valid name.
    ``phrases`` holds the arguments, ``expected`` among them, that are words of ours: each as a code with arguments.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    path: str
    line: int = 0
    column: int = 0
    message: str
    expected: str = ""
    nearest: str | None = None
    arguments: dict[str, str] = {}
    phrases: dict[str, dict[str, Any]] = {}

"""What a step may say of secrets: by which names it gets which, and where those may stand."""

from __future__ import annotations

from typing import Any

from plumber_core.model.secret_refs import is_secret_ref
from plumber_core.planning.document import Path
from plumber_core.planning.expressions import Expression
from plumber_core.planning.hidden import ROOT, secret_of
from plumber_core.planning.problems import Report, nearest


def check_secrets(step: dict[str, Any], path: Path, report: Report) -> None:
    """Report what names no secret, and names that are given twice."""
    secrets, env = step.get("secrets"), step.get("env")
    for name, reference in secrets.items() if isinstance(secrets, dict) else ():
        place = (*path, "secrets", name)
        if not is_secret_ref(reference):
            report.add("bad_secret", place, name=str(name))
        if isinstance(env, dict) and name in env:
            report.add("secret_and_variable", place, at_key=True, name=str(name))


def check_reference(step: dict[str, Any], path: Path, expression: Expression, report: Report) -> None:
    """Report a secret that the step does not have, or that is more than filled in: it is known on the host only."""
    if ROOT not in expression.roots:
        return
    known = step.get("secrets")
    names = list(known) if isinstance(known, dict) else []
    name = secret_of(expression)
    if name is None:
        report.add("secret_not_alone", path)
    elif name not in names:
        report.add("unknown_secret", path, nearest=nearest(name, names), name=name)

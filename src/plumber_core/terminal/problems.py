"""Errors for people, and the exit codes that scripts read."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from plumber_core import errors
from plumber_core.model.sentences import SENTENCES
from plumber_core.reasons import spoken
from plumber_core.terminal.console import err
from plumber_core.terminal.language import _, language
from plumber_core.terminal.output import safe

OK, FAILED, REFUSED, AWAY, DENIED, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 4, 70, 130
"""0 done · 1 the execution failed · 2 wrong usage or refused · 3 unreachable · 4 not logged in or not allowed."""
_EXIT_CODES: tuple[tuple[type[errors.PlumberError], int], ...] = (
    (errors.Unavailable, AWAY),
    (errors.ProtocolError, AWAY),
    (errors.RateLimited, AWAY),
    (errors.Unauthenticated, DENIED),
    (errors.Forbidden, DENIED),
)


def exit_code_of(error: errors.PlumberError) -> int:
    """Return the exit code for an error."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), REFUSED)


def print_error(error: errors.PlumberError, *, source: str = "") -> None:
    """Print what happened and what to do next on stderr; ``source`` names the file that has the problems."""
    problems = error.arguments.get("problems") or []
    headline(error.explain(language()))
    for problem in problems:
        err().print(problem_text(problem, source), soft_wrap=True)
    hint = error.advise(language())
    if nearest := error.arguments.get("nearest"):
        hint = _("Did you mean {name}?", name=nearest)
    if not problems and hint:
        err().print(Text.assemble((_("hint: "), "cyan"), safe(hint)), soft_wrap=True)


def headline(sentence: str) -> None:
    """Print the line that says what went wrong."""
    err().print(Text.assemble((_("error: "), "bold red"), safe(sentence)), soft_wrap=True)


def problem_text(problem: dict[str, Any], source: str) -> Text:
    """Return a problem of a task as ``FILE:LINE:COLUMN: what is wrong``, with what would have been right."""
    line, column = problem.get("line") or "", problem.get("column") or ""
    place = ":".join(str(part) for part in (source, line, column if line else "") if part)
    told = _told(problem)
    text = Text.assemble((f"{place or problem.get('path', '')}: ", "bold"), safe(told))
    if nearest := problem.get("nearest"):
        text.append(" " + _("Did you mean {name}?", name=nearest), style="green")
    elif (expected := _arguments(problem).get("expected")) and expected not in told:
        text.append(" " + _("Expected: {what}.", what=expected), style="dim")
    return text


def _told(problem: dict[str, Any]) -> str:
    """Return the problem's sentence in the user's language; a code of a newer server keeps its own."""
    sentence = SENTENCES.get(problem.get("code", ""))
    if sentence is None:
        return str(problem.get("message", ""))
    return _(sentence).format_map(_Blanks(_arguments(problem)))


def _arguments(problem: dict[str, Any]) -> dict[str, Any]:
    """Return what fills the sentence; words of ours in the user's language."""
    phrases = {key: spoken(phrase, language()) for key, phrase in (problem.get("phrases") or {}).items()}
    given: dict[str, Any] = {"expected": problem.get("expected", "")} | problem.get("arguments", {})
    return given | {key: told for key, told in phrases.items() if told is not None}


class _Blanks(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"

"""Which events are told to whom, and in which words: pure rules behind ``engine/notices.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from plumber_core.errors import error_classes
from plumber_core.locales import translate
from plumber_core.model.notices import Occasion

KINDS = frozenset({"execution.failed", "execution.succeeded", "execution.paused", "batch.waiting"})
"""Events that may lead to a notification."""
Facts = Mapping[str, Any]


def occasion_of(kind: str, data: Facts, *, recovered: bool) -> Occasion | None:
    """Return on which occasion an event is told, None for one that nobody has to hear of.

    ``recovered`` says that the same task, or this execution, had failed the last time.
    """
    if kind == "execution.failed":
        return "failure"
    if kind == "execution.succeeded":
        return "recovery" if recovered else "success"
    waits = kind == "execution.paused" or (kind == "batch.waiting" and data.get("pause") == "manual")
    return "waiting" if waits else None


def channels_of(occasion: Occasion, *wishes: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return who is told, each once: a recovery also tells those who hear of every success."""
    wanted = ("recovery", "success") if occasion == "recovery" else (occasion,)
    names = (name for wish in wishes for one in wanted for name in wish.get(one, ()))
    return tuple(dict.fromkeys(names))


def title(occasion: str, facts: Facts, language: str) -> str:
    """Return what happened, in one line."""
    sentences = {
        "failure": translate("{task} failed", language),
        "recovery": translate("{task} succeeded again", language),
        "success": translate("{task} succeeded", language),
        "waiting": translate("{task} waits for you", language),
        "test": translate("Plumber can reach this channel", language),
    }
    return _filled(sentences.get(occasion, "{task}"), facts)


def text(occasion: str, facts: Facts, language: str) -> str:
    """Return the lines below the title."""
    if occasion == "test":
        return _filled(translate("Sent by {by} to try the channel {channel}.", language), facts)
    return "\n".join(line for line in _lines(facts, language) if line)


def _lines(facts: Facts, language: str) -> Iterator[str]:
    if block := facts.get("block"):
        said = translate("{block} waits after batch {batch} of {batches} until somebody says go.", language)
        yield _filled(said, {**facts, "block": block})
    yield _problem(facts.get("problem"), language)
    failures = facts.get("failures") or []
    for failure in failures:
        yield _filled("{step} · {host}: {what}", {**failure, "what": _ended(failure, language)})
    if (more := facts.get("failed", 0) - len(failures)) > 0:
        yield _filled(translate("… and {count} more", language), {"count": more})
    if warnings := facts.get("warnings"):
        yield _filled(translate("{count} failure(s) were allowed", language), {"count": warnings})
    yield _filled(translate("Requested by {by}", language), {"by": facts.get("requested_by", "")})
    if reason := facts.get("reason"):
        yield _filled(translate("Reason: {reason}", language), {"reason": reason})
    if (seconds := facts.get("duration")) is not None:
        yield _filled(translate("It took {duration}", language), {"duration": _duration(seconds)})


def _ended(failure: Facts, language: str) -> str:
    code, state = failure.get("exit_code"), failure.get("state")
    words = {
        "timed_out": translate("timed out", language),
        "rejected": translate("rejected", language),
        "expired": translate("expired", language),
        "lost": translate("lost: outcome unknown", language),
    }
    if state in words:
        return words[state]
    if code is not None:
        return _filled(translate("exit {code}", language), {"code": code})
    return str(failure.get("error") or translate("failed", language)).replace("_", " ")


def _problem(problem: Facts | None, language: str) -> str:
    """Return why the execution could not go on, in the words of its error."""
    kind = error_classes().get(str((problem or {}).get("code")))
    arguments = (problem or {}).get("arguments")
    return kind(**arguments).explain(language) if kind is not None and isinstance(arguments, dict) else ""


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} m"


def _filled(sentence: str, facts: Facts) -> str:
    return sentence.format_map(_Blanks(facts))


class _Blanks(dict[str, Any]):
    """Format arguments that never raise: a notification with a gap is better than none."""

    def __missing__(self, key: str) -> str:
        return "?"

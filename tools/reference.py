"""Write the generated parts of the docs, and say which are not up to date.

    python tools/reference.py            write them
    python tools/reference.py --check    exit with 1 if one is not up to date

A page marks a part with ``<!-- generated: NAME -->`` and ``<!-- end -->``; what stands between is written by the
function of that name in ``PARTS``. The rest of the page is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import crash_points
import reference_api as api
import reference_faults as faults
import reference_programs as programs
import reference_rules as rules

ROOT = Path(__file__).resolve().parents[1]
PARTS: dict[str, Callable[[], str]] = {
    "agent options": programs.agent_options,
    "answers": api.answers,
    "answers in Chinese": api.answers_in_chinese,
    "chaos": faults.chaos,
    "commands": programs.commands,
    "crash points": crash_points.crash_points,
    "errors": api.errors,
    "executors": rules.executors,
    "faults": faults.faults,
    "life of a step": rules.life_of_a_step,
    "life of an agent": rules.life_of_an_agent,
    "life of an execution": rules.life_of_an_execution,
    "later keys": rules.later_keys,
    "numbers": rules.numbers,
    "operations": api.operations_in_english,
    "operations in Chinese": api.operations_in_chinese,
    "original methods": api.original_methods,
    "parameter keys": rules.parameter_keys,
    "rollout keys": rules.rollout_keys,
    "concurrency keys": rules.concurrency_keys,
    "rooms": rules.rooms,
    "routes": api.routes,
    "settings": programs.settings,
    "step keys": rules.step_keys,
    "step moves": rules.step_moves,
    "summary of faults": faults.summary,
    "task keys": rules.task_keys,
}
_PART = re.compile(r"(?ms)^<!-- generated: (.+?) -->\n.*?^<!-- end -->$")


def rewritten(text: str) -> str:
    """Return a page with its generated parts as they should be.

    Raises: KeyError (a part of a name that nobody writes).
    """
    return _PART.sub(lambda part: f"<!-- generated: {part[1]} -->\n{PARTS[part[1]]().strip()}\n<!-- end -->", text)


def pages() -> list[Path]:
    """Return every page, the two READMEs included."""
    return [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def stale() -> dict[Path, str]:
    """Return the pages that are not up to date, with what they should hold."""
    texts = {page: page.read_text() for page in pages()}
    wanted = {page: rewritten(text) for page, text in texts.items()}
    return {page: text for page, text in wanted.items() if text != texts[page]}


def unused() -> list[str]:
    """Return the parts that stand on no page."""
    used = {name for page in pages() for name in _PART.findall(page.read_text())}
    return sorted(PARTS.keys() - used)


def main() -> int:
    """Write or check the parts; return the exit code."""
    found = stale()
    if "--check" in sys.argv[1:]:
        problems = [f"{page.relative_to(ROOT)} is stale: run make reference\n" for page in found]
        problems += [f"no page has the part {name}\n" for name in unused()]
        problems += [f"reference.zh-CN.toml translates what nobody says: {text}\n" for text in api.unused_chinese()]
        sys.stdout.writelines(problems)
        return 1 if problems else 0
    for page, text in found.items():
        page.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Does the simulator notice when a rule is missing? ``make mutants`` removes each of tools/mutants.toml, one at a time.

The changes are made in a copy of the source, whose seeds are then tried up to the first that breaks an invariant.
``--write`` puts the table into docs/explanation/simulation.md.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
MUTANTS = Path(__file__).with_suffix(".toml")
PAGE = ROOT / "docs/explanation/simulation.md"
BEGIN, END = "<!-- mutants: begin -->\n", "<!-- mutants: end -->\n"
_SUMMARY = re.compile(r"\t(\d+) seeds\t")
_FAILED = re.compile(r"^FAILED \S+::(\w+)", re.MULTILINE)
_BROKEN = re.compile(r"^seed (\d+) at \S+: (\w+) ", re.MULTILINE)


class Finding(NamedTuple):
    """What became of one mutant; ``broken`` is the invariant or the test that noticed it, None when it survived."""

    name: str
    rule: str
    tried: int
    seed: str
    broken: str | None


def mutants() -> list[dict[str, Any]]:
    """Return the mutants as written."""
    found: list[dict[str, Any]] = tomllib.loads(MUTANTS.read_text("utf-8"))["mutant"]
    return found


def apply(mutant: dict[str, Any], core: Path) -> None:
    """Change a copy of ``src/plumber_core``.

    Raises:
        SystemExit: the source is not what the mutant was written for.
    """
    for change in mutant["changes"]:
        path = core / change["file"]
        text = path.read_text("utf-8")
        if (count := text.count(change["search"])) != 1:
            sys.exit(f"{mutant['name']}: found {count} times in {change['file']}, expected once: {change['search']!r}")
        path.write_text(text.replace(change["search"], change["replace"]), "utf-8")


def check(mutant: dict[str, Any], seeds: str, jobs: int) -> Finding:
    """Try seeds on a copy of the source with the mutant's changes."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "src"
        shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__", "plumber_web"))
        apply(mutant, copy / "plumber_core")
        said = _simulate(mutant, copy, seeds, "--jobs", str(jobs), "--first")
        failed = None if _BROKEN.search(said) else _failed_test(mutant, copy)
    summary, broken = _SUMMARY.search(said), _BROKEN.search(said)
    if summary is None:
        sys.exit(f"{mutant['name']}: the simulator itself failed:\n{said[-4000:]}")
    seed, invariant = broken.groups() if broken else ("", failed)
    if broken and _BROKEN.search(_simulate(mutant, ROOT / "src", seed, "--jobs", "1")):
        sys.exit(f"{mutant['name']}: seed {seed} fails without it, too")
    return Finding(mutant["name"], mutant["rule"], int(summary[1]), seed, invariant)


def _failed_test(mutant: dict[str, Any], source: Path) -> str | None:
    """Return the first of the mutant's tests that fails on the changed source, or what does the same as its rule."""
    if "tests" not in mutant:
        return f"as before by {mutant['equivalent']}" if "equivalent" in mutant else None
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", mutant["tests"]]
    environment = os.environ | {"PYTHONPATH": str(source)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    failed = _FAILED.search(done.stdout)
    if failed is None and done.returncode:
        sys.exit(f"{mutant['name']}: its tests could not be run:\n{done.stdout[-4000:]}{done.stderr[-1000:]}")
    return None if failed is None else failed[1]


def _simulate(mutant: dict[str, Any], source: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "plumber_core.testing.simulator", *arguments]
    command += ["--often", ",".join(mutant["often"])] if "often" in mutant else []
    environment = os.environ | {"PYTHONPATH": str(source)}
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def table(findings: list[Finding]) -> str:
    """Return the findings as a table for the page."""
    lines = ["| removed | the rule | noticed by | seeds tried |", "|---|---|---|---|"]
    for finding in findings:
        noticed = finding.broken or "**not noticed**"
        noticed += f", seed {finding.seed}" if finding.seed else ""
        lines.append(f"| {finding.name} | {finding.rule} | {noticed} | {finding.tried} |")
    caught = sum(finding.broken is not None for finding in findings)
    return "\n".join([*lines, "", f"{caught} of {len(findings)} noticed.", ""])


def main() -> int:
    """Check the mutants that were asked for; the exit code says whether any survived."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--seeds", default="1..300")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="a part of the name")
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    options = parser.parse_args()
    findings = []
    for mutant in mutants():
        if options.only in mutant["name"]:
            findings.append(check(mutant, options.seeds, options.jobs))
            print("\t".join(map(str, findings[-1])), flush=True)
    if options.write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(before + BEGIN + table(findings) + END + rest.partition(END)[2], "utf-8")
    return int(any(finding.broken is None for finding in findings))


if __name__ == "__main__":
    raise SystemExit(main())

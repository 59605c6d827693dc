"""The simulator runs the product's own code: the seeds of every push, and that a seed does the same again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from plumber_core.runner.clock import Clock
from plumber_core.runner.disk import Disk
from plumber_core.runner.processes import Processes
from plumber_core.testing.simulator.commands import SimulatedProcesses
from plumber_core.testing.simulator.disk import SimulatedDisk
from plumber_core.testing.simulator.machine import SimulatedClock

ROOT = Path(__file__).parents[2]
ONCE_FAILED = "84,526,647,672,700,1052,2193,2244,2487,2672,2811,3040,3194,3283,3393"
"""Later than what every push tries; what they found is told in docs/explanation/simulation.md."""


def simulate(*arguments: str, source: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run seeds in processes of their own, whose sets have a fixed order."""
    environment = os.environ | {"PYTHONHASHSEED": "0"} | ({"PYTHONPATH": str(source)} if source else {})
    command = [sys.executable, "-m", "plumber_core.testing.simulator", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_the_seeds_of_every_push_break_nothing() -> None:
    done = simulate("1..300")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\t300 seeds\t0 failed\t" in done.stdout


def test_seeds_that_once_failed_break_nothing() -> None:
    done = simulate(ONCE_FAILED)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_seed_does_the_same_again() -> None:
    def traces(seeds: str) -> list[str]:
        lines = simulate(seeds, "--jobs", "1", "--trace").stdout.splitlines()
        return [line for line in lines if line.startswith("trace ")]

    first = traces("11..14")
    assert len(first) == 4
    assert traces("11..14") == first
    assert traces("14") == first[3:], "what ran before leaves nothing behind"
    assert len({line.split()[2] for line in first}) == 4


def test_the_simulated_ports_are_whole() -> None:
    """A method that is not played would reach the real machine."""
    for real, played in ((Disk, SimulatedDisk), (Processes, SimulatedProcesses), (Clock, SimulatedClock)):
        missing = {name for name in vars(real) if not name.startswith("_")} - vars(played).keys()
        assert not missing, f"{played.__name__} does not play {missing}"

"""The locks fit ``pyproject.toml``: whoever changes one runs ``make lock``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from plumber_server.install.packing import NEEDS, closure

_ROOT = Path(__file__).parents[2]


def _project() -> dict[str, Any]:
    return tomllib.loads((_ROOT / "pyproject.toml").read_text())


def _pinned(lock: str) -> dict[str, str]:
    pins = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;]+)", (_ROOT / lock).read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def _runtime() -> list[str]:
    project = _project()
    optional = project["project"]["optional-dependencies"]
    # What `all` leaves out, few want: it is pinned for tests only.
    [everything] = map(Requirement, optional["all"])
    extras = [text for extra in everything.extras for text in optional[extra]]
    return [*project["build-system"]["requires"], *project["project"]["dependencies"], *extras]


def _misfits(wanted: list[str], pins: dict[str, str]) -> list[str]:
    own = canonicalize_name(_project()["project"]["name"])
    requirements = [found for text in wanted if canonicalize_name((found := Requirement(text)).name) != own]
    versions = [(found, pins.get(canonicalize_name(found.name))) for found in requirements]
    return [str(found) for found, version in versions if version is None or version not in found.specifier]


def test_runtime_lock_fits() -> None:
    assert _misfits(_runtime(), _pinned("requirements.lock")) == []


def test_development_lock_fits() -> None:
    assert _misfits(_project()["dependency-groups"]["dev"], _pinned("requirements-dev.lock")) == []


def test_the_locks_agree() -> None:
    runtime, development = _pinned("requirements.lock"), _pinned("requirements-dev.lock")
    assert {name: pin for name, pin in development.items() if runtime.get(name, pin) != pin} == {}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_pin_has_hashes(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", (_ROOT / lock).read_text().strip())
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_agents_lock_fits() -> None:
    pins = _pinned("src/plumber_server/install/agent.lock")
    assert _misfits([text for text in _runtime() if canonicalize_name(Requirement(text).name) in NEEDS], pins) == []
    assert pins.items() <= _pinned("requirements.lock").items()
    assert set(closure(NEEDS)) == set(pins)

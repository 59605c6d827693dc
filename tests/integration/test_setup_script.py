"""``tools/setup.sh`` on machines that lack something: one line, and what to do."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_OLD = "#!/bin/sh\nexit 1\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the script reads, without a ``.venv``."""
    (tmp_path / "tools").mkdir()
    for name in ("tools/setup.sh", "requirements.lock", "requirements-dev.lock", "pyproject.toml"):
        shutil.copy(_ROOT / name, tmp_path / name)
    return tmp_path


def _program(checkout: Path, name: str, text: str) -> None:
    folder = checkout / "bin"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def _setup(checkout: Path, **env: str) -> tuple[int, list[str]]:
    result = subprocess.run(
        [checkout / "tools" / "setup.sh", "dev"],
        env={"PATH": f"{checkout / 'bin'}:/usr/bin:/bin", **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout.splitlines()


def test_without_a_new_enough_python(checkout: Path) -> None:
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        _program(checkout, name, _OLD)
    code, lines = _setup(checkout)
    assert code == 1
    assert lines[0] == "Setting up .venv ..."
    assert lines[1].startswith("Plumber needs Python 3.11 or newer")
    assert len(lines) == 2


def test_a_chosen_python_that_does_not_fit_is_not_replaced_by_another(checkout: Path) -> None:
    code, lines = _setup(checkout, PYTHON="/nonexistent/python3")
    assert code == 1
    assert lines[-1].startswith("Plumber needs Python 3.11 or newer")


def test_python_without_venv_for_somebody_who_is_not_root(checkout: Path) -> None:
    _program(
        checkout, "python3", '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; *print*) echo python3.12-venv;; esac\n'
    )
    _program(checkout, "id", "#!/bin/sh\necho 1000\n")
    code, lines = _setup(checkout)
    assert code == 1
    assert "apt-get install python3.12-venv" in lines[-1]


def test_python_without_venv_for_root_installs_it(checkout: Path) -> None:
    marker = checkout / "installed"
    cases = f'*ensurepip*) [ -e "{marker}" ];; *print*) echo python3.12-venv;; venv) echo made; exit 3;;'
    _program(checkout, "python3", f'#!/bin/sh\ncase "$2" in {cases} esac\n')
    _program(checkout, "id", "#!/bin/sh\necho 0\n")
    _program(checkout, "apt-get", f'#!/bin/sh\ncase "$*" in *"install -y python3.12-venv") touch "{marker}";; esac\n')
    code, lines = _setup(checkout)
    assert (code, lines[-2:]) == (3, ["Installing python3.12-venv ...", "made"])


def test_another_system(checkout: Path) -> None:
    _program(checkout, "uname", "#!/bin/sh\necho Darwin\n")
    code, lines = _setup(checkout)
    assert code == 1
    assert len(lines) == 1
    assert "Darwin is not supported" in lines[0]

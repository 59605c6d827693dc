"""The packages that people install hold the page, and only a checkout needs Node.js to make them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def build(project: Path, target: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PLUMBER_")}
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    return subprocess.run(
        command, cwd=project, env=clean | env, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which nobody has built the page, on a machine with a shell but without Node.js."""
    folder = tmp_path_factory.mktemp("bare") / "plumber"
    left_out = shutil.ignore_patterns("node_modules", "dist", "__pycache__")
    for name in ("src", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=left_out)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    commands = folder.parent / "bin"
    commands.mkdir()
    for name in ("sh", "dirname"):
        (commands / name).symlink_to(str(shutil.which(name)))
    return folder


def page_of(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return [name for name in archive.namelist() if name.startswith("plumber_web/dist/")]


def test_the_source_archive_holds_the_page_so_that_its_wheel_needs_no_node(bare: Path, tmp_path: Path) -> None:
    made = build(ROOT, "sdist", tmp_path)
    assert made.returncode == 0, made.stderr
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    made = build(source, "wheel", tmp_path, PATH=str(bare.parent / "bin"))
    assert made.returncode == 0, made.stderr
    page = page_of(next(tmp_path.glob("*.whl")))
    assert "plumber_web/dist/index.html" in page
    assert any(name.endswith(".js") for name in page)
    assert sorted(page) == sorted(
        f"plumber_web/{path.relative_to(ROOT / 'src/plumber_web')}"
        for path in (ROOT / "src/plumber_web/dist").rglob("*")
        if path.is_file()
    )


def test_a_checkout_without_node_says_what_is_missing_and_how_to_do_without(bare: Path, tmp_path: Path) -> None:
    commands = str(bare.parent / "bin")
    made = build(bare, "wheel", tmp_path, PATH=commands)
    assert made.returncode != 0
    assert "Node.js 20.19" in made.stderr and "PLUMBER_SKIP_WEB=1" in made.stderr
    made = build(bare, "wheel", tmp_path, PATH=commands, PLUMBER_SKIP_WEB="1")
    assert made.returncode == 0, made.stderr
    assert page_of(next(tmp_path.glob("*.whl"))) == []

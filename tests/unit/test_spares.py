from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from plumber_core.runner.spares import KEPT, Spares


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    place = tmp_path / "spool"
    place.mkdir()
    return place


@pytest.fixture
def spares(tmp_path: Path) -> Spares:
    return Spares(str(tmp_path))


def settle(spares: Spares, spool: Path, attempt: str, *, shared: bool = False) -> None:
    spares.discard(str(spool), attempt, shared=shared)


def test_a_settled_file_is_the_next_one_emptied(spares: Spares, spool: Path) -> None:
    spares.take(str(spool / "a.log"))
    first = (spool / "a.log").stat().st_ino
    (spool / "a.log").write_bytes(b"what the first one printed")
    settle(spares, spool, "a")
    assert list(spool.iterdir()) == []
    spares.take(str(spool / "b.log"))
    assert (spool / "b.log").stat().st_ino == first
    assert (spool / "b.log").read_bytes() == b""
    assert (spool / "b.log").stat().st_mode & 0o777 == 0o600


def test_discarding_twice_or_nothing_is_no_error(spares: Spares, spool: Path) -> None:
    for name in ("a.log", "a.out", "a.script"):
        (spool / name).touch()
    settle(spares, spool, "a")
    settle(spares, spool, "a")
    assert list(spool.iterdir()) == []


def in_use(path: Path) -> None:
    """A process of the attempt was left running, and may still write."""


def readable_for_all(path: Path) -> None:
    path.chmod(0o644)


def linked_elsewhere(path: Path) -> None:
    os.link(path, path.parent.parent / "elsewhere")


def a_symlink(path: Path) -> None:
    path.rename(path.parent.parent / "target")
    path.symlink_to(path.parent.parent / "target")


@pytest.mark.parametrize("change", [in_use, readable_for_all, linked_elsewhere, a_symlink])
def test_what_others_may_touch_is_never_used_again(
    change: Callable[[Path], None], spares: Spares, spool: Path, tmp_path: Path
) -> None:
    output = spool / "a.out"
    spares.take(str(output))
    output.write_bytes(b"kept by somebody")
    inode = output.stat().st_ino
    change(output)
    settle(spares, spool, "a", shared=change is in_use)
    assert list(spool.iterdir()) == []
    assert list((tmp_path / "spares").iterdir()) == []
    spares.take(str(spool / "b.out"))
    if change is not in_use and change is not readable_for_all:
        assert (spool / "b.out").stat().st_ino != inode
    assert (spool / "b.out").stat().st_mode & 0o777 == 0o600


def test_only_so_many_are_kept_and_none_outlives_its_supervisor(spares: Spares, spool: Path, tmp_path: Path) -> None:
    for number in range(KEPT + 5):
        spares.take(str(spool / f"{number}.log"))
    for number in range(KEPT + 5):
        settle(spares, spool, str(number))
    assert list(spool.iterdir()) == []
    assert len(list((tmp_path / "spares").iterdir())) == KEPT
    Spares(str(tmp_path))
    assert list((tmp_path / "spares").iterdir()) == []


def test_a_spare_that_somebody_removed_is_made_anew(spares: Spares, spool: Path, tmp_path: Path) -> None:
    spares.take(str(spool / "a.log"))
    settle(spares, spool, "a")
    for spare in (tmp_path / "spares").iterdir():
        spare.unlink()
    spares.take(str(spool / "b.log"))
    assert (spool / "b.log").read_bytes() == b""

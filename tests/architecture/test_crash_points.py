"""Every durable act has a crash point beside it, and every crash point a name of its own."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

import crash_points
from plumber_core.runner.supervisor import Supervisor

BARE = """
class Keeper:
    def keep(self):
        {before}
        {act}
        {after}
"""


def test_every_durable_act_has_a_crash_point_after_it() -> None:
    found = [
        found
        for path in crash_points.files()
        for found in crash_points.bare(path.read_text(), str(path.relative_to(crash_points.SOURCE)))
    ]
    assert not found, "add crash_point(...) after these"


@pytest.mark.parametrize(
    "act",
    [
        "os.fsync(fd)", "os.fdatasync(fd)", "os.rename(a, b)", "os.replace(a, b)", "path.replace(other)",
        "path.unlink()", "os.ftruncate(fd, 0)", "write_durably(path, data)", "self._book.write(record)",
        "book.note(record)", "self._book.sync()", "self.journal.append(record)", "self._write(record, durable=True)",
        "self.database.write(work)", "database.hot(script, values)", "discard(folder, attempt)",
    ],
)  # fmt: skip
def test_one_without_it_is_found(act: str) -> None:
    point = "crash_point('supervisor.kept')"

    def found(before: str, after: str) -> list[str]:
        source = BARE.format(before=before, act=act, after=after)
        return [bare.where for bare in crash_points.bare(source, "runner/keeper.py")]

    assert found("pass", point) == []
    assert found("pass", "pass") == found(point, "pass") == ["runner/keeper.py: Keeper.keep"]


def test_what_is_no_durable_act_needs_none() -> None:
    source = BARE.format(before="text.replace('a', 'b')", act="found.discard(x)", after="dataclasses.replace(x, y=1)")
    assert crash_points.bare(source, "runner/keeper.py") == []


def test_every_write_of_the_store_names_its_act() -> None:
    for path in (crash_points.SOURCE / "plumber_core/storage/store").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("self.write", "self.single", "self.hot"):
                assert isinstance(call.args[0], ast.Constant), f"{path.name}:{call.lineno}"


def test_no_two_places_share_a_point() -> None:
    points = crash_points.points()
    assert [name for name, count in Counter(point.name for point in points).items() if count > 1] == []
    programs = Counter(point.name.partition(".")[0] for point in points)
    assert set(programs) == {"server", "link", "supervisor"}
    assert all(count >= 20 for count in programs.values()), programs


def test_every_verb_of_the_supervisor_has_its_point() -> None:
    source = (crash_points.SOURCE / "plumber_core/runner/supervisor.py").read_text()
    assert all(f'"{verb}"' in source for verb in crash_points.VERBS)
    known = Supervisor.__init__.__code__.co_consts
    assert {*crash_points.VERBS} - {"attach"} <= {
        name for part in known for name in (part if isinstance(part, tuple) else (part,))
    }

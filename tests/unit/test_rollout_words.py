"""What a terminal says of rollouts, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from plumber_core.model.rollout_views import BatchView, PlannedBatch, PlannedRollout, RolloutView
from plumber_core.model.states import ExecutionState
from plumber_core.model.views import ExecutionDetail, PlannedStep, PlanView
from plumber_core.terminal.language import language as spoken
from plumber_core.terminal.outcome import waiting_text
from plumber_core.terminal.rollouts import planned_lines, rollout_lines

PLACE = {"block": "roll out", "batch": 1, "batches": 3}
GO = {"code": "batch_go", **PLACE}


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("LANGUAGE", "")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8" if request.param == "zh" else "en_US.UTF-8")
    spoken.cache_clear()
    yield str(request.param)
    spoken.cache_clear()


@pytest.mark.parametrize(
    ("waiting", "english", "chinese"),
    [
        (GO, "until somebody says go: plumber execution go", "等人放行：plumber execution go"),
        ({"code": "batch_gate", **PLACE}, "the gate behind batch 1 of 3", "第 1 批（共 3 批）之后的关卡"),
        (
            {"code": "batch_turn", **PLACE, "batch": 3, "current": 1},
            "its turn is batch 3 of 3",
            "轮到第 3 批（共 3 批）",
        ),
        (
            {"code": "batch_pause", **PLACE, "until": "2026-01-01T12:00:00+00:00"},
            "roll out pauses after batch 1 of 3",
            "roll out 在第 1 批（共 3 批）之后暂停",
        ),
    ],
)
def test_why_a_host_waits_for_its_batch(language: str, waiting: dict[str, Any], english: str, chinese: str) -> None:
    assert (english if language == "en" else chinese) in waiting_text(waiting)


def test_how_batches_stand(language: str) -> None:
    batches = [
        BatchView(number=1, hosts=1, failed=0, state="passed"),
        BatchView(number=2, hosts=5, failed=2, state="stopped"),
        *(BatchView(number=n, hosts=9, failed=0, state="skipped") for n in range(3, 30)),
    ]
    detail = ExecutionDetail(
        id="x",
        task="t",
        task_id=None,
        revision=None,
        state=ExecutionState.RUNNING,
        requested_by="me",
        created_at=datetime.now(UTC),
        rollouts=[RolloutView(block="roll out", batches=batches, waiting=GO)],
    )
    lines = [line.plain for line in rollout_lines(detail)]
    assert lines[1].startswith("roll out  ")
    expected = {
        "en": ["  batch 1: 1 host(s)  passed", "  batch 2: 5 host(s)  stopped the rollout  2 failed"],
        "zh": ["  第 1 批：1 台主机  已通过", "  第 2 批：5 台主机  使分批停止  2 台失败"],
    }
    assert lines[2:4] == expected[language]
    assert "9" in lines[-1] and len(lines) == 23


def test_a_block_without_batches_takes_no_line() -> None:
    one = RolloutView(block="b", batches=[BatchView(number=1, hosts=5, failed=0, state="running")])
    detail = ExecutionDetail.model_construct(rollouts=[one])
    assert list(rollout_lines(detail)) == []


def test_how_batches_are_planned(language: str) -> None:
    step = PlannedStep(index=0, name="check", uses="http", command="", path=None, env={}, timeout=None, hosts=[])
    rollout = PlannedRollout(
        block="roll out",
        steps=[0],
        gates=[0],
        pause="manual",
        most_failed=2,
        batches=[PlannedBatch(number=1, hosts=7, names=[f"h{n}" for n in range(7)])],
    )
    plan = PlanView(task="t", revision=1, parameters={}, steps=[step], rollouts=[rollout], hash="h")
    _, head, batch = [line.plain for line in planned_lines(plan)]
    if language == "en":
        assert head.endswith(
            "stops when more than 2 host(s) fail · waits for go between batches · each batch has a gate: check"
        )
        assert batch == "  batch 1: 7 host(s)  h0, h1, h2, h3, h4 and 2 more"
    else:
        assert head.endswith("失败超过 2 台主机即停止 · 两批之间等人放行 · 每一批之后过关卡：check")
        assert batch.startswith("  第 1 批：7 台主机  h0, h1, h2, h3, h4")

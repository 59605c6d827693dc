"""The systemd unit of an agent, and what finds in others that which would end commands with the agent."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from plumber_agent.main import FAILED, MISCONFIGURED, main
from plumber_agent.service import unit_text
from plumber_agent.service.linter import check_unit


def test_unit_holds_the_program_as_it_was_called_and_the_options_that_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "current" / "plumber-agent"
    program.parent.mkdir()
    program.touch()
    monkeypatch.setattr("sys.argv", [str(program)])
    monkeypatch.setenv("PLUMBER_AGENT_LABELS", "zone=b")
    assert (
        main(["--print-unit", "--slots", "3", "--state-dir", "my state", "--config", "/a.json", "--workdir", "/w"]) == 0
    )
    [start] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ExecStart=")]
    options = f'--state-dir "{Path.cwd()}/my state" --slots 3 --label zone=b'
    assert start == f"ExecStart={program} --config /a.json --workdir /w {options}"


def test_unit_leaves_commands_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = unit_text(tmp_path / "my agent.json", tmp_path)
    lines = text.splitlines()
    assert "KillMode=process" in lines
    assert "Delegate=yes" in lines
    assert f"RestartPreventExitStatus={MISCONFIGURED}" in lines
    assert f'"{tmp_path / "my agent.json"}"' in text
    assert "@" not in text
    assert main(["--print-unit"]) == 0
    assert "[Service]" in capsys.readouterr().out
    assert FAILED != MISCONFIGURED


@pytest.mark.row(21)
def test_the_printed_unit_passes_its_own_check(tmp_path: Path) -> None:
    unit = tmp_path / "plumber-agent.service"
    unit.write_text(unit_text(tmp_path / "agent.json", tmp_path))
    assert main(["check-unit", str(unit)]) == 0


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("KillMode=process", "KillMode=control-group"),
        ("Delegate=yes", "Delegate=no"),
    ],
)
@pytest.mark.row(21)
def test_a_unit_without_it_is_refused(
    line: str, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unit = tmp_path / "plumber-agent.service"
    unit.write_text(unit_text(tmp_path / "agent.json", tmp_path).replace(line, ""))
    assert main(["check-unit", str(unit)]) == FAILED
    assert fault in capsys.readouterr().err


@pytest.mark.parametrize(
    ("added", "fault"),
    [
        ("KillMode=mixed", "group"),
        ("KillMode=none", "none"),
        ("KillMode=", "group"),
        ("OOMPolicy=stop", "memory"),
        ("SendSIGHUP=yes", "hangup"),
        ("Delegate=off", "undelegated"),
        ("ExecStart=", "empty"),
        ("ExecStart=/opt/plumber-agent \\\n  --kill", "kill"),
    ],
)
def test_a_drop_in_that_ends_commands_is_found(tmp_path: Path, added: str, fault: str) -> None:
    unit, drop_in = tmp_path / "plumber-agent.service", tmp_path / "override.conf"
    unit.write_text(unit_text(tmp_path / "agent.json", tmp_path))
    drop_in.write_text(f"[Unit]\nKillMode=process\n[Service]\n; a comment\n{added}\n")
    assert [finding.fault for finding in check_unit(unit, drop_in)] == [fault]


def test_harmless_settings_are_no_fault(tmp_path: Path) -> None:
    unit, drop_in = tmp_path / "plumber-agent.service", tmp_path / "override.conf"
    unit.write_text(unit_text(tmp_path / "agent.json", tmp_path))
    drop_in.write_text(
        "[Service]\nDelegate=memory pids\nOOMPolicy=\nSendSIGHUP=no\nUser=deploy\n[Install]\nKillMode=x\n"
    )
    assert check_unit(unit, drop_in) == []


def test_a_unit_that_cannot_be_read_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-unit", str(tmp_path / "none.service")]) == MISCONFIGURED
    assert "none.service" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "plumber-agent.service"
    unit.write_text(unit_text(tmp_path / "my agent.json", tmp_path))
    found = subprocess.run(["systemd-analyze", "verify", unit], check=False, capture_output=True, text=True)
    assert (found.returncode, unit.name in found.stderr) == (0, False), found.stderr

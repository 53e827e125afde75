"""Does the command line answer help, version, crashes and pipes as it promises?"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

import statewise as sw
from statewise.cli import COMMANDS


def test_help_names_every_command_with_a_line(statewise: Any) -> None:
    for words in ((), ("--help",), ("-h",)):
        ended = statewise(*words)
        assert ended.code == 0
        for command in COMMANDS:
            assert re.search(rf"^  {command.name} +{re.escape(command.says)}$", ended.out, re.MULTILINE)


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_each_command_has_help_that_says_the_same(statewise: Any, command: str) -> None:
    ended = statewise(command, "--help")
    assert ended.code == 0
    says = next(each.says for each in COMMANDS if each.name == command)
    assert says in " ".join(ended.out.split())


def test_version(statewise: Any) -> None:
    assert statewise("--version").out == f"statewise {sw.__version__}\n"


def test_the_doctor_finds_the_engine_sound(statewise: Any) -> None:
    ended = statewise("doctor")
    assert ended.code == 0
    assert ended.out.count("sound") == 3
    facts = json.loads(statewise("doctor", "--output-format", "json").out)
    assert facts["sound"] is True
    assert set(facts["extras"]) == {"data", "metrics", "report"}


def test_the_doctor_notices_a_wrong_engine(statewise: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from statewise.engine import unroll

    def wrong(module: Any, inputs: Any) -> Any:
        outputs, state = unroll(module, inputs)
        return outputs.with_values(outputs.values.roll(1, 0)), state

    monkeypatch.setattr("statewise.cli._doctor.unroll", wrong)
    ended = statewise("doctor")
    assert ended.code == 1
    assert "WRONG" in ended.out


def test_a_crash_of_ours_ends_with_70_and_asks_for_a_report(statewise: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash() -> dict[str, float]:
        raise ZeroDivisionError

    monkeypatch.setattr("statewise.cli._doctor.self_test", crash)
    ended = statewise("doctor")
    assert ended.code == 70
    assert "fault of statewise" in ended.err


@pytest.mark.parametrize(("problem", "code"), [(KeyboardInterrupt, 130), (BrokenPipeError, 0)])
def test_ctrl_c_and_a_closed_pipe_end_quietly(
    statewise: Any, monkeypatch: pytest.MonkeyPatch, problem: type[BaseException], code: int
) -> None:
    def raise_it() -> dict[str, float]:
        raise problem

    monkeypatch.setattr("statewise.cli._doctor.self_test", raise_it)
    monkeypatch.setattr("sys.stderr", __import__("io").StringIO())
    assert statewise("doctor").code == code

"""Does `statewise audit` answer with its exit code, whatever a module does to the process that it runs in?"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import torch
from safetensors.torch import save_file

from statewise.auditing import read_audit
from statewise.cli._apart import Request, Shared
from tests.cli.conftest import write_claims

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = """\
import os, subprocess, sys, time
import torch
from torch import nn
from statewise import Contract

class Sound(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 5, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, x, lengths):
        return self.head(self.rnn(x)[0][torch.arange(len(x)), lengths - 1])

class Padded(Sound):
    def forward(self, x, lengths):
        return self.head(self.rnn(x)[0][:, -1])

class Hanging(Sound):
    def forward(self, x, lengths):
        if len(x) == 1:
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)  # left by a module that hangs"])
            time.sleep(1000)
        return super().forward(x, lengths)

class HangingLate(Padded):
    calls = 0

    def forward(self, x, lengths):
        HangingLate.calls += 1
        if HangingLate.calls > 200:
            time.sleep(1000)
        return super().forward(x, lengths)

class Ending(Sound):
    def forward(self, x, lengths):
        if len(x) == 1:
            os._exit(3)
        return super().forward(x, lengths)

class Killed(Sound):
    def forward(self, x, lengths):
        if len(x) == 1:
            os.kill(os.getpid(), 11)
        return super().forward(x, lengths)

class Starting(Sound):
    def forward(self, x, lengths):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)  # left by a module that ends"])
        os._exit(3)

class Leaving(Sound):
    def __init__(self):
        os._exit(0)

class Raising(Sound):
    def forward(self, x, lengths):
        raise ValueError("no such thing")

class Talking(Sound):
    def forward(self, x, lengths):
        print("a module that talks")
        return super().forward(x, lengths)

class Odd(Sound):
    def forward(self, x, lengths, weather):
        return super().forward(x, lengths)

def call_odd(module, batch):
    return module(batch.x, batch.lengths, weather="fair")

PROMISE = Contract(batch_first=True, order_matters=True)
BATCH = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0))

def no_batch(size):
    return BATCH[:size]

def batch():
    return BATCH

class Lazy(Sound):
    def __init__(self):
        super().__init__()
        self.head = nn.LazyLinear(2)

def broken():
    raise RuntimeError("no weights today")
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    path = tmp_path / "models.py"
    path.write_text(MODELS)
    return path


def statuses(path: Path) -> dict[str, str]:
    return {each.code: each.status for each in read_audit(path).outcomes}


def test_a_sound_module_ends_with_0_and_a_defect_with_1(statewise: Any, models: Path, tmp_path: Path) -> None:
    sound = statewise("audit", f"{models}:Sound", "--out", "sound.json")
    assert sound.code == 0, sound.out + sound.err
    assert "audit of Sound: sound" in sound.out
    found = statewise("audit", f"{models}:Padded")
    assert found.code == 1
    assert "SW301" in found.out
    assert "padding-reaches-answers" in found.out
    assert "lengths - 1" in found.out
    assert set(statuses(tmp_path / "sound.json").values()) >= {"pass", "not_applicable"}


def test_json_is_all_that_reaches_standard_output(statewise: Any, models: Path) -> None:
    ended = statewise("audit", f"{models}:Talking", "--output-format", "json")
    document = json.loads(ended.out)
    assert (document["schema"], document["name"], ended.code) == (1, "Talking", 0)
    assert "a module that talks" in ended.err


def test_a_module_that_hangs_is_ended_with_all_that_it_started(statewise: Any, models: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    ended = statewise("audit", f"{models}:Hanging", "--timeout", "10", "--out", "a.json")
    assert time.monotonic() - began < 60
    assert ended.code == 3
    assert "did not come back within 10 seconds" in ended.out
    found = read_audit(tmp_path / "a.json")
    at = [each.code for each in found.outcomes if each.status == "error"]
    assert len(at) == 1
    assert found.name == "Hanging"
    assert len(found.weights) == 64
    assert {each.status for each in found.outcomes if each.code < at[0]} >= {"pass", "not_applicable"}
    assert {each.status for each in found.outcomes if each.code > at[0]} == {"skipped"}
    assert not children_of(models)


def test_what_was_found_before_a_module_hung_is_told(statewise: Any, models: Path) -> None:
    ended = statewise("audit", f"{models}:HangingLate", "--timeout", "15")
    assert ended.code == 1
    assert "4 findings (SW203, SW301, SW302, SW305) and 1 error" in " ".join(
        ended.out.split()
    )  # which of them is the cause was not reached
    assert "the audit was cut short" in ended.out


def start(models: Path, name: str, **options: Any) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "statewise", "audit", f"{models}:{name}"]
    return subprocess.Popen(words, cwd=models.parent, start_new_session=True, **options)


def children_of(models: Path) -> set[int]:
    """Return the processes in which a module of this test sleeps: those that the child and its module started."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (path / "cmdline").read_bytes()
            if (path / "cwd").resolve() == models.parent and (b"_inside" in command or b"left by a module" in command):
                found.add(int(path.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="no /proc to look for processes in")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind_where_the_command_is_ended(models: Path, sent: signal.Signals) -> None:
    command = start(models, "Hanging", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert waited_for(lambda: len(children_of(models)) == 2, 100), "the module did not come to hang"
    command.send_signal(sent)
    code = command.wait(60)
    assert (code == 130) == (sent is signal.SIGINT)
    assert waited_for(lambda: not children_of(models), 30), "the module is still there"


def waited_for(holds: Callable[[], bool], seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while not holds() and time.monotonic() < ends:
        time.sleep(0.1)
    return holds()


def test_a_terminal_is_shown_how_far_a_long_audit_is(models: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = start(models, "Hanging", stdout=subprocess.DEVNULL, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = b""
    while b"SW203" not in shown and command.poll() is None:
        shown += os.read(ours, 4096)
    command.send_signal(signal.SIGINT)
    command.wait(60)
    os.close(ours)
    assert b"audit SW203" in shown


@pytest.mark.parametrize(
    ("name", "says"),
    [("Ending", "ended the process, with exit code 3"), ("Killed", "ended by SIGSEGV"), ("Leaving", "before the first check")],
)
def test_a_module_that_ends_the_process_leaves_an_error(statewise: Any, models: Path, name: str, says: str) -> None:
    ended = statewise("audit", f"{models}:{name}")
    assert ended.code == 3
    assert says in " ".join(ended.out.split())


def test_what_a_module_started_ends_with_it(statewise: Any, models: Path) -> None:
    assert statewise("audit", f"{models}:Starting").code == 3
    assert waited_for(lambda: not children_of(models), 10)


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="no /proc to look for processes in")
def test_a_child_whose_parent_is_gone_when_it_begins_ends_by_itself(models: Path) -> None:
    folder = models.parent / "shared"
    folder.mkdir()
    Shared(folder).request.write_bytes(msgspec.json.encode(Request(target=f"{models}:Hanging")))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    words = [sys.executable, "-m", "statewise.cli._inside", str(folder), str(gone.pid)]
    child = subprocess.Popen(words, cwd=models.parent, start_new_session=True)
    assert child.wait(60) != 0
    assert not children_of(models)


def test_a_module_that_raises_is_not_sound(statewise: Any, models: Path) -> None:
    ended = statewise("audit", f"{models}:Raising", "--select", "SW2")
    assert ended.code == 3
    assert "ValueError: no such thing" in ended.out


def test_a_contract_and_a_call_are_taken_from_the_file(statewise: Any, models: Path, tmp_path: Path) -> None:
    assert statewise("audit", f"{models}:Odd", "--call", f"{models}:call_odd", "--fast").code == 0
    assert statewise("audit", f"{models}:Sound", "--contract", f"{models}:PROMISE", "--fast", "--out", "a.json").code == 0
    found = read_audit(tmp_path / "a.json")
    assert found.contract.order_matters is True
    assert found.sure["order_matters"] == "declared"


def test_an_example_is_taken_from_the_file(statewise: Any, models: Path) -> None:
    for name in ("BATCH", "batch"):
        ended = statewise("audit", f"{models}:Sound", "--example", f"{models}:{name}", "--fast")
        assert ended.code == 0
        assert "the example" in ended.out


def test_nothing_that_could_be_judged_ends_with_3(statewise: Any, models: Path) -> None:
    ended = statewise("audit", f"{models}:Sound", "--select", "SW115")
    assert ended.code == 3
    assert "no check could be judged" in ended.out


def test_a_warning_ends_with_1_where_it_is_asked_to(statewise: Any, models: Path) -> None:
    models.write_text(
        MODELS + "\nclass Single(Padded):\n    def forward(self, x, lengths):\n        return super().forward(x.float(), lengths)\n"
    )
    assert statewise("audit", f"{models}:Single", "--select", "SW301").code == 0
    assert statewise("audit", f"{models}:Single", "--select", "SW301", "--fail-on", "warn").code == 1


def test_ignored_checks_are_not_run(statewise: Any, models: Path, tmp_path: Path) -> None:
    ended = statewise("audit", f"{models}:Padded", "--ignore", "SW2", "SW3", "--out", "a.json")
    assert ended.code == 0
    assert {status for code, status in statuses(tmp_path / "a.json").items() if code[:3] in ("SW2", "SW3")} == {"skipped"}


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_weights_are_loaded_and_others_refused(statewise: Any, models: Path, tmp_path: Path, suffix: str) -> None:
    gru, head = torch.nn.GRU(3, 5), torch.nn.Linear(5, 2)
    tensors = {f"rnn.{name}": value for name, value in gru.state_dict().items()}
    tensors |= {f"head.{name}": torch.full_like(value, torch.nan) for name, value in head.state_dict().items()}
    save: Callable[..., None] = save_file if suffix == ".safetensors" else torch.save
    save(tensors, tmp_path / f"w{suffix}")
    ended = statewise("audit", f"{models}:Sound", "--weights", f"w{suffix}", "--select", "SW608")
    assert (ended.code, "SW608" in ended.out) == (1, True), "a head of NaN answers with NaN"
    save({"other": torch.zeros(2)}, tmp_path / f"w{suffix}")
    refused = statewise("audit", f"{models}:Sound", "--weights", f"w{suffix}")
    assert refused.code == 2
    assert "Missing key" in refused.err
    (tmp_path / f"w{suffix}").write_bytes(b"nothing")
    broken = statewise("audit", f"{models}:Sound", "--weights", f"w{suffix}")
    assert (broken.code, "--weights" in broken.err) == (2, True)


def test_data_of_ones_own_is_read_as_elsewhere(statewise: Any, models: Path, tmp_path: Path) -> None:
    write_claims(tmp_path / "claims.csv", n=12)
    models.write_text(MODELS.replace("GRU(3,", "GRU(2,"))
    words = ("--data", "claims.csv", "--key", "account", "--time", "day", "--target", "label", "--features", "amount", "age")
    ended = statewise("audit", f"{models}:Sound", *words)
    assert ended.code == 0, ended.out + ended.err
    assert "claims.csv" in ended.out
    assert statewise("audit", f"{models}:Sound", *words[:1], "none.csv", *words[2:]).code == 2


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ((), "the target"),
        (("nothing",), "'nothing'"),
        (("models.py",), "'models.py'"),
        (("models.py:Nothing",), "models.py:Nothing"),
        (("models.py:broken",), "no weights today"),
        (("no_such_package:make",), "no_such_package"),
        (("models.py:Odd",), "weather"),
        (("models.py:Sound", "--select", "SX1"), "--select"),
        (("models.py:Sound", "--ignore", "sw301"), "--ignore"),
        (("models.py:Sound", "--timeout", "0"), "--timeout"),
        (("models.py:Sound", "--weights", "none.pt"), "--weights 'none.pt'"),
        (("models.py:Sound", "--contract", "models.py:Sound"), "--contract 'models.py:Sound'"),
        (("models.py:Sound", "--call", "models.py:PROMISE"), "--call 'models.py:PROMISE'"),
        (("models.py:Sound", "--call", "models.py"), "--call 'models.py'"),
        (("models.py:Lazy",), "parameters"),
        (("models.py:Sound", "--example", "models.py:no_batch"), "--example 'models.py:no_batch'"),
        (("models.py:Sound", "--example", "models.py:PROMISE"), "example"),
        (("models.py:Sound", "--example", "models.py:BATCH", "--data", "x.csv"), "--example"),
        (("models.py:Sound", "--key", "account"), "--key"),
        (("models.py:Sound", "--out", "a.txt"), "--out"),
        (("models.py:Sound", "--fail-on", "sometimes"), "fail-on"),
        ((".",), "config.json"),
    ],
)
def test_what_cannot_be_audited_is_told_in_four_facts(statewise: Any, models: Path, words: tuple[str, ...], where: str) -> None:
    ended = statewise("audit", *words)
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert where in ended.err
    assert all(f"\n  {fact}" in ended.err for fact in ("where", "arrived", "try"))

"""Does a training that is killed at any moment, and resumed until it is done, end as one that was never stopped? To the bit?

Each run is a process of its own that trains with `fit` and writes into a folder: dropout, an optimiser with state, validation, best
weights, early stopping, and a refit. It ends by SIGKILL at a moment drawn uniformly over the wall time of a run, is resumed, perhaps
killed again, and at last left to finish. Then its weights, its last checkpoint (optimiser, random generators, carried state) and its
history, times aside, are held against those of a run that was never stopped.

A kill counts as inside a checkpoint write where the temporary file of a checkpoint is found afterwards: nothing but the process itself
removes or renames it. So that this is often met, the runs write a checkpoint after each update. Where uniform moments hit too few
writes, further kills come as soon as such a file appears; they are counted apart.

Two more rows: one kill before and after each write, rename and removal of a small run in turn, and disks that are full from some
update on (a limit on the size of a file, which any user may set: the write ends in its middle with an error of the system).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from statewise.errors import RunError
from statewise.files import PART
from statewise.models import build
from statewise.runs import Record, RunFiles, Update
from statewise.sequences import Ragged, Sequences, split
from statewise.training import _pace, fit
from statewise.training._checkpoint import Checkpoint
from tests.training._strangers import Noisy, Odd, rounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.types import Each

_FULL = 3  # the exit code of a child whose disk was full


@dataclass(frozen=True, kw_only=True)
class Job:
    """One kind of training.

    Attributes:
        train: trains into a folder, as `job.train(folder, resume, callbacks)`.
        seconds_between: checkpoints; 0 writes one after each update.
    """

    train: Callable[[Path, bool, list[Any]], object]
    seconds_between: float = 0.0


def make_data(n: int, *, each: Each = "sequence") -> Sequences:
    """Sequences whose class is the sign of their first step, a few of them mislabelled; each sequence or each step has one."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(5, 40, (n,), generator=generator)
    values = torch.randn(int(lengths.sum()), 3, generator=generator)
    inputs = Ragged(values, lengths)
    targets = (values[inputs.offsets[:-1], 0] > 0).long() ^ (torch.rand(n, generator=generator) < 0.05).long()
    return Sequences(inputs=inputs, targets=targets if each == "sequence" else targets[inputs.rows], class_names=["down", "up"], each=each)


def whole_sequences(*, n: int, hidden: int, epochs: int, seconds_between: float) -> Job:
    """Batches of whole sequences, then a refit."""
    train, valid = split(make_data(n), fractions=(0.7, 0.3))

    def run(folder: Path, resume: bool, callbacks: list[Any]) -> object:  # noqa: FBT001
        model = build("lstm", data=train, hidden_size=hidden, dropout=0.3, seed=0)
        return fit(
            model, train, valid, epochs=epochs, patience=3, refit=True, lr=2e-2, seed=1, directory=folder, resume=resume,
            callbacks=callbacks,
        )  # fmt: skip

    return Job(train=run, seconds_between=seconds_between)


def strangers(*, n: int, hidden: int, epochs: int, seconds_between: float) -> Job:
    """A module, an optimiser and a sampler that we have not written, which draw from every generator."""
    train, valid = split(make_data(n), fractions=(0.7, 0.3))

    def run(folder: Path, resume: bool, callbacks: list[Any]) -> object:  # noqa: FBT001
        module = Noisy(3, hidden, python=True)
        return fit(
            module, train, valid, epochs=epochs, seed=1, optimizer=lambda parameters: Odd(parameters, 0.1), sampler=rounds,
            directory=folder, resume=resume, callbacks=callbacks,
        )  # fmt: skip

    return Job(train=run, seconds_between=seconds_between)


def carried(*, n: int, hidden: int, epochs: int, seconds_between: float) -> Job:
    """Windows of lanes, with the state carried from one to the next and two steps of burn-in; then a refit."""
    train, valid = split(make_data(n, each="step"), fractions=(0.7, 0.3))

    def run(folder: Path, resume: bool, callbacks: list[Any]) -> object:  # noqa: FBT001
        model = build("lstm", data=train, hidden_size=hidden, dropout=0.3, seed=0)
        return fit(
            model, train, valid, epochs=epochs, refit=True, seed=1, window=max(4, n // 2), lanes=4, burn_in=2, stride=max(3, n // 3),
            directory=folder, resume=resume, callbacks=callbacks,
        )  # fmt: skip

    return Job(train=run, seconds_between=seconds_between)


JOBS: dict[str, Callable[..., Job]] = {"ours, with a refit": whole_sequences, "strangers": strangers, "windows": carried}


def start(job: Job, folder: Path, *, inside: Callable[[], list[Any]] = list) -> int:
    """Begin or go on with a run in a process of its own, and return its number; `inside` is called there and gives callbacks."""
    resume = folder.exists()
    number = os.fork()
    if number:
        return number
    code = 1
    try:  # the child: whatever happens, it must not go on with what its parent does
        torch.set_num_threads(1)
        _pace._SECONDS_BETWEEN = job.seconds_between
        _pace._LARGEST_SHARE = 0.05 if job.seconds_between else 1.0
        job.train(folder, resume, inside())
        code = 0
    except RunError as problem:
        code = _FULL if "File too large" in str(problem) else 1
        if code == 1:
            sys.stderr.write(f"{problem}\n")
    except BaseException as problem:  # noqa: BLE001
        sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
    finally:
        os._exit(code)


def wait(number: int) -> int:
    """Return how a process ended: its exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def halves(folder: Path, of: str = "") -> list[str]:
    """Return the temporary files below a folder, of files whose name begins with `of`."""
    return [each.name for each in folder.rglob(f".{of}*{PART}")]


def outcome(folder: Path, *, python: bool = True) -> dict[str, Any]:
    """Return all that must be the same, in a form that can be compared.

    Checks of types at run time draw from Python's generator: where there are any, it is left out.
    """
    files = RunFiles(folder)
    kept = Checkpoint.read(files.checkpoints / "last.safetensors")
    generators = {name: state for name, state in kept.generators.items() if python or name != "python"}
    timeless = msgspec.structs.replace(kept.progress, seconds=0.0)
    records = [json.loads(line) for line in files.history.read_text(encoding="utf-8").splitlines()]
    times = ("seconds", "steps_per_second")
    return {
        "weights": files.weights.read_bytes(),
        "history": [{name: value for name, value in record.items() if name not in times} for record in records],
        "progress": msgspec.json.encode(timeless),
        "checkpoint": [_bits(part) for part in (kept.weights, kept.best, kept.first, kept.optimizer, generators, kept.carried)],
        "files": sorted(each.name for each in folder.rglob("*")),
    }


def _bits(node: Any) -> Any:
    if isinstance(node, Tensor):
        return (str(node.dtype), tuple(node.shape), node.reshape(-1).view(torch.uint8).numpy().tobytes())
    if isinstance(node, dict):
        return {name: _bits(part) for name, part in node.items()}
    return [_bits(part) for part in node] if isinstance(node, (list, tuple)) else node


@dataclass
class Count:
    """What one row of the table counts."""

    kills: int = 0
    inside_checkpoint: int = 0
    inside_other: int = 0
    before_checkpoint: int = 0
    runs: int = 0
    identical: int = 0
    differ: list[str] = field(default_factory=list)

    def killed(self, folder: Path) -> None:
        """Count one kill, by what it left behind."""
        self.kills += 1
        inside = halves(folder, "last.safetensors")
        self.inside_checkpoint += bool(inside)
        self.inside_other += len(halves(folder)) > len(inside)
        self.before_checkpoint += not (RunFiles(folder).checkpoints / "last.safetensors").is_file()

    def finished(self, job: Job, folder: Path, expected: dict[str, Any]) -> None:
        """Let a run finish and compare it."""
        self.runs += 1
        code = wait(start(job, folder))
        found = outcome(folder) if code == 0 else {}
        differ = [name for name in expected if found.get(name) != expected[name]]
        self.identical += not differ
        self.differ += [f"{folder.name}: {', '.join(differ)}"] if differ else []


def kill_at_random(job: Job, folder: Path, expected: dict[str, Any], seconds: float, *, kills: int, seed: int) -> Count:
    """Kill at moments uniform over the time of a run, one to three times each, until there are so many."""
    random, count = np.random.default_rng(seed), Count()
    while count.kills < kills:
        run = folder / f"random-{count.runs}"
        for _ in range(min(int(random.integers(1, 4)), kills - count.kills)):
            number = start(job, run)
            time.sleep(random.uniform(0, seconds))
            os.kill(number, signal.SIGKILL)
            if wait(number) == -signal.SIGKILL:
                count.killed(run)
        count.finished(job, run, expected)
    return count


def kill_inside_writes(job: Job, folder: Path, expected: dict[str, Any], seconds: float, *, kills: int, seed: int) -> Count:
    """Kill as soon as the temporary file of a checkpoint appears, from a random moment on, until so many were hit.

    After ten times as many runs it gives up.
    """
    random, count = np.random.default_rng(seed), Count()
    while count.inside_checkpoint < kills and count.runs < 10 * kills:
        run = folder / f"inside-{count.runs}"
        number, begun, after = start(job, run), time.perf_counter(), random.uniform(0, seconds)
        while time.perf_counter() - begun < 100 * seconds:
            if time.perf_counter() - begun > after and halves(run, "last.safetensors"):
                break
            if os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                break
        os.kill(number, signal.SIGKILL)
        if wait(number) == -signal.SIGKILL:
            count.killed(run)
        count.finished(job, run, expected)
    return count


def kill_around_each_write(job: Job, folder: Path, expected: dict[str, Any], *, stride: int, offset: int) -> Count:
    """Kill before and after each fsync, rename and removal in turn (or every `stride`-th), until a run has no more of them."""
    count, place = Count(), offset
    while True:
        run = folder / f"write-{place}"
        code = wait(start(job, run, inside=lambda place=place: _die_at(place)))  # type: ignore[misc]
        if code == -signal.SIGKILL:
            count.killed(run)
        if run.exists():
            count.finished(job, run, expected)
        if code == 0:
            return count
        place += stride


def _die_at(place: int) -> list[Any]:
    """Let this process kill itself at a place among the moments around its writes."""
    moments = 0

    def moment() -> None:
        nonlocal moments
        if moments == place:
            os.kill(os.getpid(), signal.SIGKILL)
        moments += 1

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            moment()
            result = function(*args, **kwargs)
            moment()
            return result

        return wrapped

    os.fsync = around(os.fsync)
    for name in ("replace", "unlink"):
        setattr(Path, name, around(getattr(Path, name)))
    return []


def fill_the_disk(job: Job, folder: Path, expected: dict[str, Any], *, times: int, updates: int, seed: int) -> Count:
    """Let no file be longer than half a checkpoint, from a random update on; then make room and go on."""
    random, count = np.random.default_rng(seed), Count()
    while count.kills < times:
        run = folder / f"full-{count.runs}"
        half = (RunFiles(folder / "whole").checkpoints / "last.safetensors").stat().st_size // 2
        at = int(random.integers(1, updates))

        def limit(record: Record, at: int = at, half: int = half) -> None:
            if isinstance(record, Update) and record.update == at:
                resource.setrlimit(resource.RLIMIT_FSIZE, (half, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

        code = wait(start(job, run, inside=lambda limit=limit: [limit]))  # type: ignore[misc]
        if code != _FULL or halves(run):
            count.differ.append(f"{run.name}: ended with {code} and left {halves(run)}")
        count.kills += 1
        count.finished(job, run, expected)
    return count


def whole_run(job: Job, folder: Path) -> tuple[dict[str, Any], float]:
    """Return what a run that is never stopped gives, and how long it takes; a second one must give the same."""
    times = []
    for name in ("whole", "twin"):
        begun = time.perf_counter()
        assert wait(start(job, folder / name)) == 0, "a run that nobody kills must finish"
        times.append(time.perf_counter() - begun)
    expected = outcome(folder / "whole")
    assert expected == outcome(folder / "twin"), "two runs that nobody stops must be the same, or nothing can be shown"
    return expected, min(times)


def say(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(words: list[str] | None = None) -> int:
    """Kill, resume, compare, print the table; return 1 where a run differs or too few kills hit a write."""
    parser = argparse.ArgumentParser(prog="python -m tests.training.kills", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50, help="at uniform moments")
    parser.add_argument("--inside", type=int, help="at least so many inside a checkpoint write (a fifth of --kills)")
    parser.add_argument("--full", type=int, default=3, help="disks that are full")
    parser.add_argument("--stride", type=int, default=1, help="kill around every n-th write of a small run")
    parser.add_argument("--size", type=int, default=96, help="hidden units")
    parser.add_argument("--epochs", type=int, default=8, help="of a run")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    inside = given.kills // 5 if given.inside is None else given.inside
    torch.set_num_threads(1)
    # What is imported late is imported here, once: the children are copies of this process.
    fit(build("rnn", data=(tiny := make_data(4)), hidden_size=1), tiny, tiny, epochs=1)
    failed = False
    say(f"{'':<44} {'kills':>5} {'in a checkpoint write':>22} {'in another':>11} {'before the first':>17} {'runs':>5} {'identical':>10}")

    def row(name: str, count: Count) -> None:
        nonlocal failed
        failed |= bool(count.differ) or count.identical != count.runs
        say(
            f"{name:<44} {count.kills:>5} {count.inside_checkpoint:>22} {count.inside_other:>11} {count.before_checkpoint:>17} "
            f"{count.runs:>5} {count.identical:>10}"
        )
        for line in count.differ:
            say(f"  DIFFERS {line}")

    for number, (name, make) in enumerate(JOBS.items()):
        kills = given.kills // len(JOBS) + (number < given.kills % len(JOBS))
        with tempfile.TemporaryDirectory() as folder:
            large, place = make(n=240, hidden=given.size, epochs=given.epochs, seconds_between=0.0), Path(folder)
            expected, seconds = whole_run(large, place)
            updates = sum(record["record"] == "update" for record in expected["history"])
            say(f"{name}: {updates} updates, {seconds:.1f} s a run, a checkpoint after each")
            count = kill_at_random(large, place, expected, seconds, kills=kills, seed=given.seed)
            row("  SIGKILL at uniform moments", count)
            missing = -(-inside // len(JOBS)) - count.inside_checkpoint
            if missing > 0:
                count = kill_inside_writes(large, place, expected, seconds, kills=missing, seed=given.seed)
                row("  SIGKILL when a write begins", count)
                if count.inside_checkpoint < missing:
                    failed = True
                    say(f"  TOO FEW kills hit a checkpoint write: {count.inside_checkpoint} of {missing}")
            row("  disk full, then room", fill_the_disk(large, place, expected, times=given.full, updates=updates // 2, seed=given.seed))
        with tempfile.TemporaryDirectory() as folder:
            small, place = make(n=30, hidden=4, epochs=2, seconds_between=1e9), Path(folder)
            expected, _ = whole_run(small, place)
            offset = given.seed % given.stride
            row(
                "  SIGKILL around each write of a small run",
                kill_around_each_write(small, place, expected, stride=given.stride, offset=offset),
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

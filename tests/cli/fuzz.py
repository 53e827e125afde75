"""Does any damaged file crash a command? `python -m tests.cli.fuzz --files 200 --seed 0`.

Good files of every kind are changed at random, and commands are called on them in this process, under a limit of time: a run is
asked to predict and to score them, damaged predictions are evaluated and judged, damaged histories told, damaged tables converted,
and on a few a model is trained. Each command ends with 0, 1, 2 or 3; anything else, or no answer in time, is a fault.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from statewise.cli import main as statewise
from tests.cli.conftest import CLAIMS, write_claims, write_ts
from tests.sequences.fuzz import ACCIDENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SECONDS = 60
"""How long one command may take; the longest, a training, takes a few."""
TRAINED = 12
"""One in so many files is trained on."""
ALLOWED = (0, 1, 2, 3)
LITTLE = ("--epochs", "1", "--hidden-size", "4")


@dataclass(frozen=True)
class Subject:
    """A kind of file to damage.

    Attributes:
        file: the good file.
        commands: what is called on it, `FILE` in the place of its name; one is chosen at random.
        training: what trains on it, or nothing.
    """

    file: Path
    commands: Sequence[tuple[str, ...]]
    training: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attempt:
    """What came of one damaged file: the exit code, or what else happened."""

    number: int
    words: tuple[str, ...]
    outcome: int | str
    told: str


def subjects(folder: Path) -> list[Subject]:
    """Write good files and train the runs that are asked about them; the working folder is theirs from now on."""
    os.chdir(folder)
    table = pl.read_csv(write_claims(folder / "claims.csv"))
    table.write_parquet("claims.parquet")
    table.write_ndjson("claims.jsonl")
    write_ts(folder / "levels.ts")
    values = np.random.default_rng(0).normal(size=(90, 2)).astype(np.float32)
    np.savez("arrays.npz", values=values, lengths=np.full(30, 3), targets=np.arange(30) % 3)
    training = ("fit", "rnn", "--data", "FILE", *CLAIMS, *LITTLE, "--out", "trained")
    plain = ("fit", "rnn", "--data", "FILE", *LITTLE, "--out", "trained")
    for run, file, template in (("run", "claims.csv", training), ("levels", "levels.ts", plain), ("arrays", "arrays.npz", plain)):
        words = tuple({"FILE": file, "trained": run}.get(word, word) for word in template)
        code, told = called(words)
        assert code == 0, told
    made = called(("predict", "run", "--data", "claims.csv", "--out", "answers.csv"))
    assert made[0] == 0, made
    pl.read_csv("answers.csv").write_parquet("answers.parquet")
    Path("history.csv").write_text("loss,accuracy\n" + "".join(f"{1 / n},{1 - 1 / n}\n" for n in range(1, 9)))
    shutil.copy("run/history.jsonl", "history.jsonl")
    asked = [("predict", "run", "--data", "FILE", "--out", "out.csv"), ("evaluate", "run", "--data", "FILE")]
    asked += [("trace", "run", "--data", "FILE"), ("data", "convert", "FILE", "out.parquet", "--force", *CLAIMS)]
    tables = [Subject(Path(f"claims.{suffix}"), asked, training) for suffix in ("csv", "parquet", "jsonl")]
    answers = [("evaluate", "FILE"), ("judge", "FILE"), ("evaluate", "FILE", "--output-format", "json")]
    return [
        *tables,
        *(Subject(Path(f"answers.{suffix}"), answers) for suffix in ("csv", "parquet")),
        Subject(Path("levels.ts"), _of_run("levels"), plain),
        Subject(Path("arrays.npz"), _of_run("arrays"), plain),
        *(Subject(Path(f"history.{suffix}"), [("trace", "--history", "FILE")]) for suffix in ("csv", "jsonl")),
        *(Subject(Path("run") / name, [("judge", "run"), ("evaluate", "run"), ("report", "run")]) for name in _PARTS),
    ]


_PARTS = ("config.json", "history.jsonl", "evaluation.json", "model.safetensors", "predictions.parquet", "example.safetensors")


def _of_run(run: str) -> list[tuple[str, ...]]:
    return [("predict", run, "--data", "FILE", "--out", "out.csv"), ("evaluate", run, "--data", "FILE")]


def called(words: tuple[str, ...]) -> tuple[int | str, str]:
    """Call a command; return its exit code, or what it raised, and what it said."""
    said = io.StringIO()
    before = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return statewise(words), said.getvalue()
    except BaseException as problem:  # a panic of a library is no Exception
        if isinstance(problem, KeyboardInterrupt):
            raise
        return type(problem).__name__, f"{problem}\n{said.getvalue()}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _too_long(*_: object) -> None:
    raise _NoAnswerError(f"no answer after {SECONDS} seconds")


class _NoAnswerError(BaseException):
    """No exception that a command would take for one of its own."""


def attempts(count: int, seed: int, folder: Path) -> Iterator[Attempt]:
    """Damage files and call commands on them, one after another.

    Args:
        count: how many files.
        seed: another seed, other accidents.
        folder: an empty folder to work in.
    """
    kinds = subjects(folder)
    for number in range(count):
        chance = random.Random(f"{seed} {number}")  # noqa: S311  # accidents, not secrets
        chosen = kinds[number % len(kinds)]
        good = chosen.file.read_bytes()
        content = good
        for _ in range(chance.choice([1, 1, 2])):
            content = chance.choice(ACCIDENTS)(content, chance) if content else content
        inside = chosen.file.parent != Path()
        place = chosen.file if inside else Path(f"damaged{chosen.file.suffix}")
        place.write_bytes(content)
        trains = chosen.training and chance.randrange(TRAINED) == 0
        words = tuple(str(place) if word == "FILE" else word for word in (chosen.training if trains else chance.choice(chosen.commands)))
        outcome, told = called(words)
        if inside:
            place.write_bytes(good)
        shutil.rmtree("trained", ignore_errors=True)
        yield Attempt(number, words, outcome, told)


def is_fault(attempt: Attempt) -> bool:
    """Return whether a command did what none may: crash, hang, or refuse without saying why."""
    untold = attempt.outcome == 2 and not (attempt.told.startswith(("error: ", "note: ")) and "\n  try " in attempt.told)
    return attempt.outcome not in ALLOWED or untold


def main(words: Sequence[str] | None = None) -> int:
    """Call commands on damaged files, print what came of it, and return 1 where one did what none may."""
    parser = argparse.ArgumentParser(description="Call the command line on damaged files.")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    began, before, found = time.monotonic(), Path.cwd(), Counter[str]()
    bad: list[Attempt] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for attempt in attempts(given.files, given.seed, Path(folder)):
                found[f"{attempt.words[0]} {attempt.outcome}"] += 1
                if is_fault(attempt):
                    bad.append(attempt)
        finally:
            os.chdir(before)
    for attempt in bad:
        sys.stdout.write(f"file {attempt.number}: {attempt.outcome}: {' '.join(attempt.words)}\n{attempt.told[-1500:]}\n")
    told = ", ".join(f"{outcome}: {number}" for outcome, number in sorted(found.items()))
    sys.stdout.write(f"{given.files} damaged files in {time.monotonic() - began:.0f} seconds, {len(bad)} faults; {told}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

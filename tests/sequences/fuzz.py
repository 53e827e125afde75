"""Does any damaged file lead to anything but sequences or an error in four facts? `python -m tests.sequences.fuzz [COUNT] [SEED]`.

Each file is made from a good one of some format by a seeded accident, and read in this process under a limit of time.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from statewise.datasets import japanese_vowels
from statewise.errors import StatewiseError
from statewise.sequences import describe, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 10
"""How long one file may take; the good ones take a few hundredths."""


@dataclass(frozen=True)
class Good:
    """A file that can be read, and the options to read it with."""

    suffix: str
    content: bytes
    options: dict[str, Any]


def long_form() -> pl.DataFrame:
    """Return a small table of steps: 12 keys of 1 to 8 steps."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 9, 12)
    keys = np.repeat(np.arange(12), lengths)
    steps = np.concatenate([np.arange(length) for length in lengths])
    return pl.DataFrame(
        {
            "account": [f"a{key}" for key in keys],
            "ts": pl.Series([f"2024-03-{key + 1:02} {step:02}:00:00" for key, step in zip(keys, steps, strict=True)]),
            "amount": generator.normal(size=len(keys)).round(3),
            "kind": generator.choice(["card", "cash", "wire"], len(keys)),
            "fraud": keys % 2,
            "load": generator.normal(size=len(keys)).round(2),
        }
    )


def in_lists(table: pl.DataFrame) -> pl.DataFrame:
    """Return the same with a sequence a row."""
    return table.group_by("account", maintain_order=True).agg(pl.col("ts", "amount", "kind", "load"), pl.col("fraud").first())


def good_files() -> list[Good]:
    """Return a good file of every format, some of them twice, with other options."""
    table = long_form()
    dated = table.with_columns(pl.col("ts").str.to_datetime())
    classify = {"key": "account", "time": "ts", "target": "fraud"}
    regress = {"key": "account", "time": "ts", "target": "load", "task": "regress", "missing": "indicator", "unlabelled": "skip"}
    forecast = {"key": "account", "time": "ts", "target": "load", "task": "forecast", "max_gap": "2h", "time_gaps": True, "ties": "keep"}
    tag = {"key": "account", "time": "ts", "target": "kind", "task": "tag", "weight": "ordinal", "group": "account", "static": ["fraud"]}
    tokens = {"key": "account", "target": "kind", "task": "next", "features": ["kind", "amount"], "missing": "mean"}
    several = {"key": "account", "target": ["fraud", "night"], "each": "step", "features": {"one": ["load"], "two": ["amount", "kind"]}}
    wide = table.with_columns((pl.col("fraud") == 0).alias("night"), pl.int_range(pl.len()).alias("ordinal"))
    arrays: dict[str, Any] = {"values": np.ones((20, 3), np.float32), "lengths": np.array([5, 0, 15])}
    arrays |= {"targets": np.array([0, 1, 1]), "keys": np.array(["a", "b", "c"])}
    padded: dict[str, Any] = {"x": np.ones((4, 6, 2)), "lengths": np.array([6, 3, 1, 2])}
    padded |= {"targets": np.eye(4, 3, dtype=bool), "class_names": np.array(["p", "q", "r"])}
    lists = in_lists(table)
    return [
        Good(".csv", table.write_csv().encode(), classify),
        Good(".csv", table.write_csv().encode(), forecast),
        Good(".csv", table.write_csv(separator=";").encode(), regress),
        Good(".jsonl", table.write_ndjson().encode(), classify),
        Good(".jsonl", lists.write_ndjson().encode(), {**classify, "max_steps": 3}),
        Good(".csv", wide.write_csv().encode(), tag),
        Good(".csv", wide.write_csv().encode(), tokens),
        Good(".jsonl", wide.write_ndjson().encode(), several),
        Good(".csv.gz", gzip.compress(table.write_csv().encode(), mtime=0), classify),
        Good(".parquet", _written(dated.write_parquet), forecast),
        Good(".parquet", _written(in_lists(dated).write_parquet), regress),
        Good(".arrow", _written(dated.write_ipc), classify),
        Good(".feather", _written(in_lists(dated).write_ipc), {**classify, "missing": "mean"}),
        Good(".npz", _written(lambda file: np.savez(file, **arrays)), {}),
        Good(".npz", _written(lambda file: np.savez_compressed(file, **padded)), {"missing": "mean"}),
        Good(".ts", b"\n".join(japanese_vowels()[1].read_bytes().splitlines()[:25]), {}),
        Good(".txt", b"To be, or not to be: that is the question.\n" * 20, {"task": "next", "max_steps": 50}),
    ]


def _written(write: Callable[[Any], Any]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def flip(content: bytes, chance: random.Random) -> bytes:
    """Change some bytes to others."""
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 3, 20])):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def cut(content: bytes, chance: random.Random) -> bytes:
    """Leave out a part, or all after it."""
    start = chance.randrange(len(content))
    return content[:start] + (content[start + chance.randrange(1, 200) :] if chance.random() < 0.5 else b"")


def repeat(content: bytes, chance: random.Random) -> bytes:
    """Write a part twice."""
    start = chance.randrange(len(content))
    return content[:start] + content[max(0, start - chance.randrange(1, 300)) :]


def swap_lines(content: bytes, chance: random.Random) -> bytes:
    """Bring lines out of order, or lose the first."""
    lines = content.split(b"\n")
    chance.shuffle(lines) if chance.random() < 0.5 else lines.pop(0)
    return b"\n".join(lines)


def swap_columns(content: bytes, chance: random.Random) -> bytes:
    """Bring the values of each line out of order, or of one line only."""
    mark = b";" if content.count(b";") > content.count(b",") else b","
    lines = [line.split(mark) for line in content.split(b"\n")]
    for line in lines if chance.random() < 0.5 else [chance.choice(lines)]:
        chance.shuffle(line)
    return b"\n".join(mark.join(line) for line in lines)


def put_words(content: bytes, chance: random.Random) -> bytes:
    """Put a value where none like it belongs."""
    odd = [b"nan", b"", b"1e300", b"-inf", b"NA", b"0000-00-00", b"9999999", b"\x00", b"\xff\xfe"]
    odd += [b'"', b"[1,2]", b"{}", b"null", b"1e999", b"9" * 400]
    parts = content.split(b",")
    for _ in range(chance.choice([1, 2, 10])):
        parts[chance.randrange(len(parts))] = chance.choice(odd)
    return b",".join(parts)


def other_encoding(content: bytes, chance: random.Random) -> bytes:
    """Write text as another program would."""
    return content.decode("latin-1").encode(chance.choice(["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-8"]))


def other_digits(content: bytes, chance: random.Random) -> bytes:
    """Write some digits as others, which keeps the form of the file."""
    places = [place for place, byte in enumerate(content) if 48 <= byte <= 57]
    changed = bytearray(content)
    for place in chance.sample(places, min(len(places), chance.choice([1, 2, 5, 30]))):
        changed[place] = chance.randrange(48, 58)
    return bytes(changed)


ACCIDENTS = (flip, flip, cut, repeat, swap_lines, swap_columns, put_words, other_encoding, other_digits, other_digits)


@dataclass(frozen=True)
class Attempt:
    """What came of one file: `sequences`, `refused`, or what should not be."""

    number: int
    suffix: str
    outcome: str
    told: str = ""


def attempts(count: int, seed: int, folder: Path) -> Iterator[Attempt]:
    """Make and read damaged files, one after another.

    Args:
        count: how many.
        seed: another seed, other accidents.
        folder: where the file lies that is read.
    """
    good = good_files()
    for number in range(count):
        chance = random.Random(f"{seed} {number}")  # noqa: S311  # accidents, not secrets
        chosen = good[number % len(good)]
        content = chosen.content
        for _ in range(chance.choice([1, 1, 2])):
            content = chance.choice(ACCIDENTS)(content, chance) if content else content
        path = folder / f"damaged{chosen.suffix}"
        path.write_bytes(content)
        outcome, told = _read(path, chosen.options)
        yield Attempt(number, chosen.suffix, outcome, told)


def _read(path: Path, options: dict[str, Any]) -> tuple[str, str]:
    """Return what came of reading a file."""
    previous = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            str(describe(read(path, **options)))
    except StatewiseError as problem:
        facts = all((problem.asked == f"read {path}", problem.where, problem.arrived, problem.hint))
        return ("refused", str(problem)) if facts else ("an error without its facts", str(problem))
    except BaseException as problem:  # a panic of a library is no Exception
        if isinstance(problem, KeyboardInterrupt):
            raise
        return type(problem).__name__, traceback.format_exc()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    return "sequences", ""


def _too_long(*_: object) -> None:
    raise TimeoutError(f"no answer after {SECONDS} seconds")


def main(count: int = 2000, seed: int = 0) -> int:
    """Read damaged files, print what came of them, and return 1 where anything but sequences or a refusal did."""
    os.environ["POLARS_MAX_THREADS"] = "1"
    began, found = time.monotonic(), Counter[str]()
    bad: list[Attempt] = []
    with tempfile.TemporaryDirectory() as folder:
        for attempt in attempts(count, seed, Path(folder)):
            found[attempt.outcome] += 1
            if attempt.outcome not in ("sequences", "refused"):
                bad.append(attempt)
    for attempt in bad:
        sys.stdout.write(json.dumps(vars(attempt), indent=1).replace("\\n", "\n") + "\n")
    told = ", ".join(f"{outcome} {number}" for outcome, number in found.most_common())
    sys.stdout.write(f"{count} damaged files in {time.monotonic() - began:.0f} seconds: {told}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))

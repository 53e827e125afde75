"""Tell the stories: `python -m stories` runs all of them in full, `python -m stories text` one; `--part` takes the small data."""

from __future__ import annotations

import argparse
import math
import shlex
import shutil
import sys
import time
from pathlib import Path

import polars as pl

from statewise.cli import main as statewise
from statewise.evaluation import read_evaluation
from statewise.runs import RunFiles
from stories.compression import ngram_bits, xz_bits
from stories.prepare import prepare
from stories.table import STORIES, Story


def tell(story: Story, data: Path, runs: Path, *, part: bool) -> list[str]:
    """Run one story and return what came out, a line each.

    Raises:
        SystemExit: the command failed.
    """
    out = runs / story.name
    shutil.rmtree(out, ignore_errors=True)
    words = story.arguments(data, out, part=part)
    print(f"\n$ statewise {shlex.join(words)}\n", flush=True)
    begun = time.perf_counter()
    code = statewise(words)
    if code != 0:
        raise SystemExit(f"story {story.name}: exit code {code}")
    lines = [f"{story.name}: {story.says} ({time.perf_counter() - begun:.0f} s)"]
    evaluation = read_evaluation(RunFiles(out).evaluation)
    lines += [f"    {name}: {estimate}" for name, estimate in evaluation.metrics.items()]
    return lines + (_peers(out, data / f"text{'_part' if part else ''}") if story.name == "text" else [])


def _peers(out: Path, plays: Path) -> list[str]:
    """Return the bits a held-out character of the model, of an adaptive n-gram and of xz, on the same characters."""
    train, test = ([file.read_bytes().decode() for file in sorted((plays / name).glob("*.txt"))] for name in ("train", "test"))
    rows = pl.read_parquet(RunFiles(out).predictions)
    letters = len({letter for text in (*train, *test) for letter in text})
    characters = sum(map(len, test))
    first = characters - len(rows)  # a text's first character has none before it: counted as if all were equally likely
    model = (float(rows["nll"].sum()) / math.log(2) + first * math.log2(letters)) / characters
    ngram = ngram_bits(train[:-1], train[-1:], test)
    told = (
        f"model {model:.3f}, adaptive {ngram.order + 1}-gram {ngram.bits:.3f} (order chosen on validation), xz {xz_bits(train, test):.3f}"
    )
    return [f"    bits a held-out character ({characters:,} of {len(test)} texts): {told}"]


def main(arguments: list[str] | None = None) -> int:
    """Run the stories that were named, all by default, and print what came out of each at the end."""
    parser = argparse.ArgumentParser(prog="stories", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *(story.name for story in STORIES)], help="which stories; all by default")
    parser.add_argument("--part", action="store_true", help="the small parts of the tests, a few epochs")
    parser.add_argument("--folder", type=Path, default=Path("runs/stories"), help="where data and runs go")
    given = parser.parse_args(arguments)
    data = prepare(given.folder / "data", part=given.part)
    lines = []
    for story in STORIES:
        if not given.names or story.name in given.names:
            lines += tell(story, data, given.folder, part=given.part)
    print("\n" + "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Tell the stories: `python -m stories` runs all of them in full, `python -m stories text` one; `--part` takes the small data."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import time
from pathlib import Path

from statewise.cli import main as statewise
from statewise.evaluation import read_evaluation
from statewise.runs import RunFiles
from stories.comparison import compare
from stories.prepare import prepare
from stories.table import STORIES, Story
from stories.watch import NAME as WATCH
from stories.watch import tell_watch


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
    for name, score in evaluation.baselines.items():
        figure = next(figure for figure in ("rmse", "bits") if figure in score.figures)
        lines.append(f"    against {name} ({figure} {score.figures[figure]:.4g}): skill {score.skill}")
    lines.append(f"    units: {evaluation.num_units} {evaluation.metrics['rmse' if 'rmse' in evaluation.metrics else 'accuracy'].method}")
    if story.twin is not None:
        lines += compare(out, runs / story.twin, data / f"text{'_part' if part else ''}")[1]
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Run the stories that were named, all by default, and print what came out of each at the end."""
    parser = argparse.ArgumentParser(prog="stories", description=__doc__)
    # No name at all is checked against the choices too, as an empty list.
    parser.add_argument("names", nargs="*", choices=[[], *(story.name for story in STORIES), WATCH], help="which stories; all by default")
    parser.add_argument("--part", action="store_true", help="the small parts of the tests, a few epochs")
    parser.add_argument("--folder", type=Path, default=Path("runs/stories"), help="where data and runs go")
    given = parser.parse_args(arguments)
    data = prepare(given.folder / "data", part=given.part)
    lines = []
    for story in STORIES:
        if not given.names or story.name in given.names:
            lines += tell(story, data, given.folder, part=given.part)
    if not given.names or WATCH in given.names:
        lines += tell_watch(data, given.folder, part=given.part)
    print("\n" + "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())

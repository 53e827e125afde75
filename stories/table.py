"""Which stories are told? One record each: the command, the data it reads, and what it is there to show. A new one is a new record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Story:
    """One run of `statewise fit`.

    Attributes:
        name: the name of its run directory, and the word that picks it.
        says: what it shows, in a line.
        words: the command after `statewise fit`, with `{data}` for the folder of the data, and `{part}` for how its names end.
        size: how large the model is and how it is trained, on the whole data.
        short: the same on the small parts of the tests.
        twin: the story that it is held against beside its peers (`comparison`), where it is a text that is.
    """

    name: str
    says: str
    words: str
    size: str
    short: str = "--epochs 3 --hidden-size 16 --lr 0.02"
    twin: str | None = None

    def arguments(self, data: Path, out: Path, *, part: bool) -> list[str]:
        """Return the whole command, as a list of words."""
        words = self.words.format(data=data, part="_part" if part else "").split()
        return ["fit", *words, *(self.short if part else self.size).split(), "--out", str(out)]


POWER = (
    "--data {data}/household_power{part}.parquet --time time --target next_hour --task regress --unlabelled skip --by time --features "
    "global_active_power global_reactive_power voltage global_intensity sub_metering_1 sub_metering_2 sub_metering_3 day_sin day_cos "
    "week_sin week_cos --baselines last_hour last_minute day_before week_before"
)
TEXT = "--train {data}/text{part}/train/*.txt --valid {data}/text{part}/valid/*.txt --test {data}/text{part}/test/*.txt --task next"
LARGE = "--hidden-size 384 --embedding-size 32 --lr 0.004 --precision bfloat16 --epochs 4"

STORIES = (
    Story(
        name="regress",
        says="jsonl with lists: the mean fine dust of the next day, from a week of hours",
        words="gru --data {data}/beijing_pm25{part}.jsonl --key week --target next_day --task regress --missing mean",
        size="--hidden-size 64 --dropout 0.2 --lr 0.005 --epochs 60",
        short="--epochs 12 --hidden-size 16 --lr 0.02",
    ),
    Story(
        name="forecast",
        says="npz, one long stream: fine dust of the next 24 hours at every hour, cut by time",
        words="lstm --data {data}/beijing_pm25{part}.npz --target pm2.5 --task forecast --horizon 24 --missing mean --unlabelled skip "
        "--max-steps 500 --by time",
        size="--hidden-size 64 --dropout 0.2 --lr 0.003 --epochs 30",
    ),
    Story(
        name="tag",
        says="a folder of parquet files: the exercise at every step of a person's joined recordings, on people never seen",
        words="gru --data {data}/shoulder_watch{part}/*.parquet --key subject --time step --target exercise --task tag --max-steps 600 "
        "--bidirectional",
        size="--hidden-size 64 --dropout 0.3 --lr 0.006 --epochs 10",
    ),
    Story(
        name="binary",
        says="csv, rare positives weighted: is a customer's next invoice a cancellation, on customers never seen",
        words="lstm --data {data}/online_retail{part}.csv --key customer --time time --target target --task tag --unlabelled skip "
        "--ties keep --class-weights balanced",
        size="--hidden-size 64 --dropout 0.2 --epochs 30",
    ),
    Story(
        name="people",
        says="recordings, cut by person: which exercise is it, on people never seen",
        words="gru --data {data}/shoulder_recordings{part}.parquet --key recording --time step --group subject --target exercise "
        "--bidirectional --readout mean",
        size="--hidden-size 64 --dropout 0.3 --lr 0.006 --epochs 12",
        short="--epochs 4 --hidden-size 16 --lr 0.03",
    ),
    Story(
        name="power",
        says="parquet, one stream of two million minutes, its state carried from window to window: the mean load of the next hour",
        words=f"lstm {POWER} --key key",
        size="--max-gap 90s --window 240 --lanes 64 --hidden-size 64 --lr 0.003 --epochs 8",
        short="--max-gap 15min --window 48 --lanes 8 --hidden-size 16 --lr 0.02 --epochs 4",
    ),
    Story(
        name="power-weeks",
        says="the same minutes, many streams: each week begins without the state of the one before",
        words=f"lstm {POWER} --key week",
        size="--max-gap 90s --window 240 --lanes 64 --hidden-size 64 --lr 0.003 --epochs 8",
        short="--max-gap 15min --window 48 --lanes 8 --hidden-size 16 --lr 0.02 --epochs 4",
    ),
    Story(
        name="text-shuffled",
        says="text files: the next character, learnt from windows in any order, each begun without what came before it",
        words=f"lstm {TEXT}",
        size=f"--max-steps 64 --batch-steps 4096 {LARGE}",
        short="--max-steps 64 --batch-steps 1024 --hidden-size 48 --lr 0.02 --epochs 2",
    ),
    Story(
        name="text",
        says="text files: the next character of plays never read, the state carried from window to window, beside an n-gram and xz",
        words=f"lstm {TEXT}",
        size=f"--window 64 --lanes 64 {LARGE}",
        short="--window 64 --lanes 16 --hidden-size 48 --lr 0.02 --epochs 2",
        twin="text-shuffled",
    ),
)

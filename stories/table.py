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
    """

    name: str
    says: str
    words: str
    size: str
    short: str = "--epochs 3 --hidden-size 16 --lr 0.02"

    def arguments(self, data: Path, out: Path, *, part: bool) -> list[str]:
        """Return the whole command, as a list of words."""
        words = self.words.format(data=data, part="_part" if part else "").split()
        return ["fit", *words, *(self.short if part else self.size).split(), "--out", str(out)]


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
        name="text",
        says="text files: the next character of plays never read, beside an adaptive n-gram and xz",
        words="lstm --train {data}/text{part}/train/*.txt --test {data}/text{part}/test/*.txt --task next --max-steps 256",
        size="--hidden-size 256 --embedding-size 32 --batch-steps 16384 --lr 0.004 --epochs 4",
        short="--epochs 2 --hidden-size 48 --batch-steps 4096 --lr 0.02",
    ),
)

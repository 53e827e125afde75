"""Which files do the commands of these tests work on, and how is a command called?"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import torch

from statewise.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def statewise(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Ended]:
    """Call the command line in an empty folder and return how it ended."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["statewise", *map(str, words)])
        capsys.readouterr()
        code = main()
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return call


def write_claims(path: Path, *, n: int = 60, per_step: bool = False, seed: int = 0) -> Path:
    """Write accounts of which an account is a fraud where its first amount is large: csv or parquet by suffix."""
    generator = torch.Generator().manual_seed(seed)
    rows: list[dict[str, Any]] = []
    for account in range(n):
        fraud = bool(torch.rand(1, generator=generator) < 0.4)
        for step in range(int(torch.randint(2, 6, (1,), generator=generator))):
            amount = float(torch.randn(1, generator=generator)) + (4.0 if fraud and step == 0 else 0.0)
            label = ("high" if amount > 2 else "low") if per_step else ("fraud" if fraud else "fine")
            rows.append(
                {
                    "account": f"a{account}",
                    "day": step,
                    "amount": amount,
                    "age": float(torch.rand(1, generator=generator)),
                    "shop": ("north", "south")[int(torch.rand(1, generator=generator) < 0.5)],
                    "owner": f"o{account // 2}",
                    "label": label,
                }
            )
    frame = pl.DataFrame(rows)
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)
    return path


def write_ts(path: Path, *, n: int = 30, classes: int = 3, seed: int = 0) -> Path:
    """Write a .ts file of two channels whose class is told by the level of the first."""
    generator = torch.Generator().manual_seed(seed)
    lines = ["@problemName levels", f"@classLabel true {' '.join(f'c{number}' for number in range(classes))}", "@data"]
    for row in range(n):
        length = int(torch.randint(3, 8, (1,), generator=generator))
        channels = [torch.randn(length, generator=generator) + 3 * (row % classes), torch.randn(length, generator=generator)]
        lines.append(":".join([*(",".join(f"{float(value):.4f}" for value in channel) for channel in channels), f"c{row % classes}"]))
    path.write_text("\n".join(lines) + "\n")
    return path


CLAIMS = ("--key", "account", "--time", "day", "--target", "label", "--group", "owner", "--categorical", "shop")
QUICK = ("--epochs", "3", "--hidden-size", "4", "--lr", "0.02")

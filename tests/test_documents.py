"""Does every command and every block of README.md and docs do what it says?"""

from __future__ import annotations

import contextlib
import io
import random
import re
from typing import TYPE_CHECKING

import pytest

from tests._documents import ROOT, Document, check_questions
from tests._unchecked import unchecked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
PAGES_WITH_QUESTIONS = (
    "auditing",
    "engine",
    "generation",
    "metrics",
    "own-loop",
    "shapes",
    "state",
    "tasks",
    "time",
    "tracing",
    "training",
    "verdicts",
)


def statewise(arguments: list[str]) -> tuple[int, str]:
    """Run the command line in this process."""
    from statewise.cli import main

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = main(arguments)
    return code, out.getvalue()


@pytest.fixture(autouse=True)
def _as_a_user_runs_them() -> Iterator[None]:
    """Run the blocks without the checks of types that the tests put around every function."""
    with unchecked():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the small files that a document may read; CONTRIBUTING.md lists them."""
    vowels = ROOT / "src" / "statewise" / "datasets" / "japanese_vowels"
    for part in ("train", "test"):
        (tmp_path / f"{part}.ts").symlink_to(vowels / f"JapaneseVowels_{part.upper()}.ts")
    (tmp_path / "history.csv").write_text("loss,accuracy\n1.2,0.35\n0.9,0.50\n0.7,0.65\n0.5,0.75\n0.4,0.82\n", encoding="utf-8")
    _write_predictions(tmp_path / "predictions.csv", tp=50, fn=10, fp=5, tn=35)
    _write_predictions(tmp_path / "fraud.csv", tp=12, fn=88, fp=112, tn=9788)
    _write_claims(tmp_path)
    _write_machines(tmp_path)
    return tmp_path


def _write_predictions(path: Path, *, tp: int, fn: int, fp: int, tn: int) -> None:
    pairs = [(1, 1)] * tp + [(1, 0)] * fn + [(0, 1)] * fp + [(0, 0)] * tn
    rows = [f"{number},{target},{prediction}\n" for number, (target, prediction) in enumerate(pairs)]
    path.write_text("key,target,prediction\n" + "".join(rows), encoding="utf-8")


def _write_claims(folder: Path) -> None:
    """One row a step; whether an account is a fraud shows in amounts that rise. Two accounts belong to each owner."""
    import polars as pl

    draw = random.Random(0)  # noqa: S311 - data, not secrets
    rows = []
    for account in range(160):
        fraud, length = int(account % 4 == 0), draw.randint(4, 12)
        for step in range(length):
            amount = round(draw.gauss(1.0, 0.3) + fraud * 0.6 * step, 3)
            kind = draw.choice(["card", "cash", "transfer"])
            rows.append({"account": f"a{account}", "ts": step, "amount": amount, "kind": kind, "owner": f"o{account // 2}", "fraud": fraud})
    table = pl.DataFrame(rows)
    table.write_csv(folder / "claims.csv")
    table.write_parquet(folder / "claims.parquet")


def _write_machines(folder: Path) -> None:
    """One label a step: a machine is worn from some minute on, and then it vibrates more."""
    import polars as pl

    draw = random.Random(1)  # noqa: S311 - data, not secrets
    rows = []
    for machine in range(60):
        length = draw.randint(20, 40)
        worn_from = draw.randint(5, length - 5)
        for minute in range(length):
            worn = minute >= worn_from
            signal = {"vibration": round(draw.gauss(2.0 if worn else 1.0, 0.4), 3), "temperature": round(draw.gauss(60.0, 5.0), 1)}
            rows.append({"machine": f"m{machine}", "minute": minute, **signal, "condition": "worn" if worn else "sound"})
    pl.DataFrame(rows).write_parquet(folder / "machines.parquet")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_of_a_document_does_what_it_says(path: Path, folder: Path) -> None:
    assert Document(path=path, folder=folder, command=statewise).run() > 0


@pytest.mark.parametrize("name", PAGES_WITH_QUESTIONS)
def test_a_page_ends_with_three_questions_whose_answers_are_computed(name: str) -> None:
    check_questions(ROOT / "docs" / f"{name}.md")


def test_every_link_between_documents_leads_somewhere() -> None:
    for path in [*DOCUMENTS, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
            assert "://" in target or (path.parent / target).exists(), f"{path}: {target}"

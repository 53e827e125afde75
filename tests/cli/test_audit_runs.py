"""Are runs audited as they are trained, by the command and by hand, and does the verdict go by it?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from statewise.errors import ContractError
from tests.cli.conftest import CLAIMS, QUICK, write_claims, write_ts
from tests.cli.test_audit import MODELS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_run_is_audited_and_then_judged_by_it(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "levels.ts", n=60)
    fitted = statewise("fit", "gru", "--data", "levels.ts", "--out", "run", *QUICK)
    assert fitted.code == 0, fitted.err
    path = tmp_path / "run" / "audit.json"
    first = path.read_bytes()
    assert "audit of Model: sound" in fitted.out
    assert "audit" not in json.loads((tmp_path / "run" / "verdict.json").read_text())["not_required"]
    path.unlink()
    assert "requires the audit" in statewise("judge", "run").out
    ended = statewise("audit", "run")
    assert ended.code == 0, ended.out + ended.err
    assert json.loads(path.read_bytes())["weights_sha256"] == json.loads(first)["weights_sha256"]
    assert "requires the audit" not in statewise("judge", "run").out
    assert statewise("audit", "run", "--weights", "w.pt").code == 2
    assert statewise("audit", "run", "--out", "run/verdict.json").code == 2
    path.write_text('{"schema": 1')
    broken = statewise("judge", "run")
    assert (broken.code, "audit.json" in broken.err) == (2, True)


def test_a_run_is_audited_on_a_file_without_labels(statewise: Any, tmp_path: Path) -> None:
    rows = [line.split(",") for line in write_claims(tmp_path / "claims.csv").read_text().splitlines()]
    (tmp_path / "unlabelled.csv").write_text("".join(",".join(cells[:4]) + "\n" for cells in rows))
    words = ("--key", "account", "--time", "day", "--target", "label", "--features", "amount", "age")
    assert statewise("fit", "gru", "--data", "claims.csv", *words, "--out", "run", *QUICK).code == 0
    ended = statewise("audit", "run", "--data", "unlabelled.csv", "--select", "SW3")
    assert ended.code == 0, ended.out + ended.err
    assert "unlabelled.csv" in ended.out
    judged = statewise("judge", "run")
    assert "were not run" in " ".join(judged.out.split()), "an audit of some checks is not enough for a verdict"


def test_a_module_of_ones_own_is_audited_after_its_training(statewise: Any, tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(MODELS.replace("GRU(3,", "GRU(2,").replace("Linear(5, 2)", "Linear(5, 3)"))
    write_ts(tmp_path / "levels.ts", n=60)
    fitted = statewise("fit", "models.py:Padded", "--data", "levels.ts", "--out", "run", "--epochs", "2", "--lr", "0.02")
    assert fitted.code == 0, fitted.err
    assert "SW301" in fitted.out
    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text())
    assert verdict["level"] == "not_ready"
    assert any(reason["subject"] == "SW301 padding-reaches-answers" for reason in verdict["reasons"])


def test_a_model_that_cannot_be_audited_is_judged_without_and_the_verdict_says_so(
    statewise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: Any, **_options: Any) -> None:
        raise ContractError(asked="audit Model", where="a copy of it", arrived="a lock", hint="Leave it out.")

    monkeypatch.setattr("statewise.cli._finish.audit", refuse)
    write_claims(tmp_path / "claims.csv")
    fitted = statewise("fit", "gru", "--data", "claims.csv", *CLAIMS, "--out", "run", *QUICK)
    assert fitted.code == 0, fitted.err
    assert "could not be audited" in fitted.out
    assert not (tmp_path / "run" / "audit.json").exists()
    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text())
    assert verdict["level"] != "ready"
    assert "audit" in json.dumps(verdict["reasons"])

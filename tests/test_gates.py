"""Does each gate bite? Every one is fed a violation, with the settings that `make test` uses."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import cast

import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float
from torch import Tensor

from statewise.errors import nearest
from statewise.sequences import mean_per_sequence
from tests import check
from tests._documents import ROOT
from tests._lean import lean
from tests._unchecked import unchecked

BIN = Path(sys.executable).parent
DOCUMENTED = '"""Does something."""\n\n'


def gate(*words: str, code: str | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment on `code` (standard input) or on what `words` name."""
    return subprocess.run([str(BIN / words[0]), *words[1:]], check=False, capture_output=True, text=True, input=code, cwd=cwd)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("D100", "x = 1\n"),
        ("D103", DOCUMENTED + "def f() -> None:\n    pass\n"),
        ("F401", DOCUMENTED + "import json\n"),
        ("E501", DOCUMENTED + f"x = '{'y' * 140}'\n"),
        ("T201", DOCUMENTED + "print(1)\n"),
        ("FBT001", DOCUMENTED + 'def f(x: bool) -> None:\n    """Do it."""\n    x.real\n'),
        ("BLE001", DOCUMENTED + "try:\n    x = 1\nexcept Exception:\n    x = 2\n"),
        ("TID253", DOCUMENTED + "import polars\n"),
        ("TID253", DOCUMENTED + "from torchmetrics import Metric\n"),
        ("S301", DOCUMENTED + "import pickle\n\nx = pickle.loads(b'')\n"),
        ("C901", DOCUMENTED + 'def f(x: int) -> None:\n    """Do it."""\n' + "    if x:\n        x += 1\n" * 11),
    ],
)
def test_ruff_finds(rule: str, code: str) -> None:
    done = gate("ruff", "check", "--output-format=concise", "--stdin-filename=src/statewise/engine/new.py", "-", code=code)
    assert done.returncode == 1
    assert f" {rule} " in done.stdout


def test_ruff_accepts_what_is_right() -> None:
    code = DOCUMENTED + 'from torch import Tensor\n\n\ndef double(x: Tensor) -> Tensor:\n    """Return twice `x`."""\n    return 2 * x\n'
    done = gate("ruff", "check", "--stdin-filename=src/statewise/engine/new.py", "-", code=code)
    assert done.returncode == 0, done.stdout


def test_ruff_format_finds_another_form() -> None:
    assert gate("ruff", "format", "--check", "--stdin-filename=src/statewise/engine/new.py", "-", code="x = 'a'\n").returncode == 1
    assert gate("ruff", "format", "--check", "--stdin-filename=src/statewise/engine/new.py", "-", code='x = "a"\n').returncode == 0


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def f(x):\n    return x\n", "no-untyped-def"),
        ("def f(x: int | None) -> int:\n    return x + 1\n", "operator"),
        ("def f() -> list:\n    return []\n", "type-arg"),
        ("x: int = None  # type: ignore\n", "ignore-without-code"),
    ],
)
def test_mypy_finds(code: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text(code, encoding="utf-8")
    done = gate("mypy", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path), str(tmp_path / "new.py"))
    assert done.returncode == 1
    assert f"[{says}]" in done.stdout


@pytest.fixture
def empty_house(tmp_path: Path) -> Path:
    """A package with the layers of ours and nothing in them; only the table of public names reaches all of them."""
    (contract,) = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    for name in ["", *re.findall(r"\w+", " ".join(contract["layers"]))]:
        (tmp_path / "statewise" / name).mkdir()
        (tmp_path / "statewise" / name / "__init__.py").touch()
    (tmp_path / "statewise" / "__init__.py").write_text("from statewise.cli import main\n", encoding="utf-8")
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Hold the package `statewise` in a folder against our layers."""
    return gate("lint-imports", "--no-cache", "--no-logo", "--config", str(ROOT / "pyproject.toml"), cwd=folder)


@pytest.mark.parametrize(
    ("place", "code", "says"),
    [
        ("sequences/_new.py", "from statewise.cli import main", "statewise.sequences._new -> statewise.cli"),
        ("sequences/_new.py", "def f():\n    import statewise.engine", "statewise.sequences._new -> statewise.engine"),
        ("sequences/_new.py", "from statewise import datasets", "statewise.sequences._new -> statewise.datasets"),
        ("state/__init__.py", "if TYPE_CHECKING:\n    from statewise.sequences import x", "statewise.state -> statewise.sequences"),
        ("gadgets.py", "", "statewise.gadgets"),
    ],
    ids=["upwards", "inside a function", "sideways", "for types alone", "a part without a layer"],
)
def test_import_linter_finds(place: str, code: str, says: str, empty_house: Path) -> None:
    (empty_house / "statewise" / place).write_text(code, encoding="utf-8")
    done = lint_imports(empty_house)
    assert done.returncode == 1
    assert says in done.stdout


def test_import_linter_accepts_what_is_right(empty_house: Path) -> None:
    (empty_house / "statewise" / "cli" / "_new.py").write_text("import statewise.engine, statewise.errors\n", encoding="utf-8")
    done = lint_imports(empty_house)
    assert done.returncode == 0, done.stdout


TESTS_THAT_MUST_FAIL = '''
import warnings

import pytest
import torch


def test_a_warning_is_an_error():
    warnings.warn("old", stacklevel=1)


@pytest.mark.xfail(reason="mended since")
def test_an_xfail_that_passes_is_a_failure():
    pass


def test_a_shape_that_is_not_as_declared_is_an_error():
    from statewise.sequences import mean_per_sequence

    mean_per_sequence(torch.zeros(3, 2), torch.zeros(1, 1, dtype=torch.int64))


def test_a_type_that_is_not_as_declared_is_an_error():
    from statewise.errors import nearest

    nearest(3, [])


def test_that_hangs_is_ended():
    from time import sleep

    sleep(60)


def wrong():
    """
    >>> 1 + 1
    3
    """
'''


def test_pytest_fails_what_must_fail(tmp_path: Path) -> None:
    (tmp_path / "test_bad.py").write_text(TESTS_THAT_MUST_FAIL, encoding="utf-8")
    words = ["-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), f"--rootdir={tmp_path}", "--timeout=20", str(tmp_path)]
    done = gate("python", "-m", "pytest", "-rf", "--tb=line", *words)
    assert "6 failed" in done.stdout.splitlines()[-1], done.stdout
    for sign in ("UserWarning: old", "XPASS(strict)", "TypeCheckError", "Timeout", "test_bad.wrong"):
        assert sign in done.stdout


def test_types_and_shapes_are_checked_in_every_test() -> None:
    with pytest.raises(BeartypeCallHintViolation):
        mean_per_sequence(torch.zeros(3, 2), torch.zeros(1, 1, dtype=torch.int64))
    with pytest.raises(BeartypeCallHintViolation):
        nearest(cast("str", 3), [])
    with unchecked(), pytest.raises(TypeError):  # what difflib says of it
        nearest(cast("str", 3), ["a"])


def _first(one: Float[Tensor, " n"], other: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    return one[:1] if bool(other.isnan().any()) else one


def test_axes_of_one_name_are_as_long_in_all_arguments_and_the_result() -> None:
    first, three = lean(_first, typechecker=check), torch.zeros(3)
    assert first(three, three) is three
    with pytest.raises(BeartypeCallHintViolation, match="other"):
        first(three, torch.zeros(4))
    with pytest.raises(BeartypeCallHintViolation, match="return"):
        first(three, torch.full((3,), torch.nan))
    assert first(torch.zeros(4), torch.zeros(4)).shape == (4,), "a scope ends with its call"


def test_coverage_counts_branches_and_has_a_floor_of_95() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["coverage"]
    assert settings["run"] == {"branch": True, "source_pkgs": ["statewise"]}
    assert settings["report"]["fail_under"] >= 95


def test_coverage_below_its_floor_fails(tmp_path: Path) -> None:
    (tmp_path / "half.py").write_text("def f(x):\n    if x:\n        return 1\n    return 2\n", encoding="utf-8")
    (tmp_path / "test_half.py").write_text("import half\n\n\ndef test_half():\n    assert half.f(1) == 1\n", encoding="utf-8")
    words = ["-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), f"--rootdir={tmp_path}", "--import-mode=prepend"]
    done = gate("python", "-m", "pytest", *words, "--cov=half", f"--cov-config={ROOT / 'pyproject.toml'}", "test_half.py", cwd=tmp_path)
    assert "1 passed" in done.stdout
    assert done.returncode == 1
    assert "Required test coverage of 95.0% not reached" in done.stdout


def test_the_first_gate_that_fails_stops_make(tmp_path: Path) -> None:
    """The recipe's lines run one by one, and none of them swallows a failure."""
    (tmp_path / ".installed-test").touch()
    (tmp_path / "bin").mkdir()
    for name, ends in {"ruff": 0, "mypy": 7, "lint-imports": 0, "python": 0}.items():
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\necho ran {name}\nexit {ends}\n", encoding="utf-8")
        program.chmod(0o755)
    done = subprocess.run(["make", "-C", str(ROOT), "test", f"VENV={tmp_path}"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "==> mypy\nran mypy\n" in done.stdout
    assert "lint-imports" not in done.stdout
    assert "ran python" not in done.stdout

"""Is the house in order? What no linter knows: first lines, sizes, layers, the changelog, and that the commands fit together."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

import statewise
from tests._documents import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGE = ROOT / "src" / "statewise"
FOLDERS = ("src", "tests", "benchmarks", "simulations", "stories", "docs")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
LONG_FILES: dict[str, str] = {
    "tests/training/test_fit.py": "one small task and its helpers serve every promise of training, resuming among them"
}
"""Files of more than 400 lines, each with the reason why it is better whole."""
KNOW_THE_INSIDE = {
    "benchmarks/costs.py": "it measures the engine's ways one by one",
    "benchmarks/plans.py": "it is where rows learn of plans",
}
"""Files that may import what is private to a package they do not lie in, each with the reason."""
VOWELS = {
    "TRAIN": "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
    "TEST": "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
}
"""The data set as it was published."""


def make(*words: str) -> subprocess.CompletedProcess[str]:
    """Say what `make` would do, away from the options of a make that runs these tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", "-n", "-C", ROOT, *words], check=False, capture_output=True, text=True, env=clean)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_says_first_what_it_is_for(path: Any) -> None:
    text = path.read_text(encoding="utf-8")
    lines = (ast.get_docstring(ast.parse(text)) or "").splitlines()
    assert lines, "no docstring"
    assert lines[0].strip().endswith((".", "?")), "the first line is no sentence"
    assert text.startswith(('"""', 'r"""')), "something stands before the docstring"


def test_a_file_over_400_lines_has_a_reason() -> None:
    long = {str(path.relative_to(ROOT)) for path in FILES if len(path.read_text(encoding="utf-8").splitlines()) > 400}
    assert long == set(LONG_FILES)
    assert all(len(reason.split()) >= 5 for reason in LONG_FILES.values())


def test_the_layers_name_every_part_of_the_package() -> None:
    (contract,) = PROJECT["tool"]["importlinter"]["contracts"]
    layers = {name for line in contract["layers"] for name in re.split(r"[ |:]+", line)}
    parts = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    parts |= {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert layers == parts
    assert contract["exhaustive"]


def private_imports(path: Path) -> list[str]:
    """Return the private modules and names of packages of statewise that a file imports and does not lie in."""
    imports = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [f"{node.module}.{each.name}" if isinstance(node, ast.ImportFrom) else each.name for node in imports for each in node.names]
    own = ".".join(path.relative_to(PACKAGE.parent).parts[:2]) if path.is_relative_to(PACKAGE) else ""
    private = [name for name in names if re.match(r"statewise\..*\._(?!_)", name)]
    return [name for name in private if ".".join(name.split(".")[:2]) != own]


def test_no_file_imports_what_is_private_to_another_package() -> None:
    files = [path for path in FILES if path.relative_to(ROOT).parts[0] in {"src", "benchmarks", "stories"}]
    found = {str(path.relative_to(ROOT)): private_imports(path) for path in files}
    assert {name: names for name, names in found.items() if names and name not in KNOW_THE_INSIDE} == {}
    assert all(found[name] for name in KNOW_THE_INSIDE), "a file that need not look inside any more"


@pytest.mark.parametrize(
    ("line", "is_private"),
    [
        ("from statewise.engine._plan import Plan", True),
        ("from statewise.engine import _layer, unroll", True),
        ("import statewise.engine._plan", True),
        ("if True:\n    from statewise.runs._records import Phase", True),
        ("from statewise.engine import unroll", False),
        ("from statewise import __version__", False),
    ],
)
def test_an_import_of_what_is_private_would_be_seen(line: str, tmp_path: Path, *, is_private: bool) -> None:
    file = tmp_path / "some.py"
    file.write_text(line, encoding="utf-8")
    assert bool(private_imports(file)) == is_private


def test_tests_mirror_the_package() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("test_*.py"))}
    packages = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders == packages


def test_the_changelog_has_a_place_for_what_is_not_released() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[Unreleased\]\n+### (Added|Changed|Deprecated|Removed|Fixed|Security)\n+- \S", text, flags=re.MULTILINE)
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", text, flags=re.MULTILINE)
    assert re.findall(r"^## \[", text, flags=re.MULTILINE) == ["## ["] * (1 + len(released))


def test_the_version_is_written_once() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", statewise.__version__)
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "src/statewise/__init__.py"


def test_the_package_is_typed_and_brings_its_data() -> None:
    assert (PACKAGE / "py.typed").read_bytes() == b""
    for part, sha256 in VOWELS.items():
        content = (PACKAGE / "datasets" / "japanese_vowels" / f"JapaneseVowels_{part}.ts").read_bytes()
        assert hashlib.sha256(content).hexdigest() == sha256


def test_all_optional_packages_are_in_the_extra_all() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    assert extras["all"] == [f"statewise[{','.join(sorted(set(extras) - {'all', 'bench', 'dev'}))}]"]


def test_continuous_integration_runs_the_test_command_of_the_readme() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").rstrip().endswith("\nmake test")
    assert re.search(r"^\s*make test\s*$", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_make_alone_lists_every_goal() -> None:
    shown = subprocess.run(["make", "-s", "-C", ROOT], check=True, capture_output=True, text=True).stdout
    goals = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert goals is not None
    assert [goal for goal in goals[1].split() if f"make {goal} " not in shown] == []


@pytest.mark.parametrize("own", ["--train a.ts --test b.ts", "--train=a.ts", "--data a.csv --key id", "--data=a.csv"])
def test_data_of_the_readers_own_takes_the_place_of_the_vendored(own: str) -> None:
    assert "JapaneseVowels" in make("run").stdout
    assert "JapaneseVowels" in make("run", "ARGS=--shuffle-labels").stdout
    plan = make("run", f"ARGS={own}").stdout
    assert "JapaneseVowels" not in plan
    assert own in plan


def test_make_refuses_an_old_python_before_it_installs() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    words = ["make", "-C", str(ROOT), "run", "PYTHON=false", "VENV=build/no-such-environment"]
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=clean)
    assert done.returncode == 2
    assert "Python 3.11 or later, and 'false' is not. Try: make PYTHON=python3.11 run" in done.stderr
    assert not (ROOT / "build" / "no-such-environment").exists()

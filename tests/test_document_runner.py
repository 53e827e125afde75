"""Does the runner of documents find every way in which a document can be wrong? Each is fed to it once."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING

import pytest

from tests._documents import Document, DocumentError, check_questions, holds_lines, read_blocks, same_text

if TYPE_CHECKING:
    from pathlib import Path


def stand_in(arguments: list[str]) -> tuple[int, str]:
    """A command line that prints its arguments, two lines, and fails when asked to."""
    return int("--fail" in arguments), f"first line\n{' '.join(arguments)}   \nlast line\n"


def run_text(text: str, folder: Path) -> int:
    """Run a document of this text."""
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return Document(path=path, folder=folder, command=stand_in).run()


GOOD = {
    "blocks share a namespace": "```python\nx = 1\n```\ntext\n```python\nassert x == 1\n```\n",
    "all that python prints": "```python\nprint('a\\nb')\n```\n\n<!-- output -->\n```text\na\nb\n```\n",
    "anything for three dots": "```python\nprint('took 12 s')\n```\n<!-- output -->\n```text\ntook ... s\n```\n",
    "an excerpt of what a command prints": "```bash\nstatewise fit x\n```\n<!-- output -->\n```text\nfit x\nlast ...\n```\n",
    "a command over two lines": "```bash\nstatewise fit \\\n  x  # why\n```\n<!-- output -->\n```text\nfit x\n```\n",
    "a console with its output": "```console\n$ statewise judge\nfirst line\njudge\n```\n",
    "an exit code": "<!-- expect: exit 1 -->\n```bash\nstatewise judge --fail\n```\n",
    "an error and its message": "<!-- expect: ValueError -->\n```python\nint('x')\n```\n<!-- output -->\n```text\ninvalid ...\n```\n",
    "a file": "<!-- file: a/b.csv -->\n```csv\nx\n1\n```\n```python\nimport os\nassert os.stat('a/b.csv').st_size == 4\n```\n",
    "a file that is imported": "<!-- file: paged.py -->\n```python\nx = 1\n```\n```python\nimport paged\nassert paged.x == 1\n```\n",
    "a block in a list": "1. x\n   ```python\n   if True:\n       y = 1\n   ```\n",
    "a class that finds its module": "```python\nimport sys\nclass A: pass\nassert sys.modules[A.__module__].A is A\n```\n",
    "an illustration": "<!-- illustration -->\n```text\na -> b\n```\n",
    "pip with our extras": "```bash\npip install 'statewise[all]'\npip install -c constraints.txt -e '.[report,data]' torch\n```\n",
    "make, without its installing": "```bash\ngit clone x\ncd x\nmake run ARGS='--seed 3'\nmake test\n```\n",
}
BAD = {
    "python that fails": ("```python\n1 / 0\n```\n", "raises ZeroDivisionError"),
    "a warning": ("```python\nimport warnings\nwarnings.warn('old')\n```\n", "raises UserWarning: old"),
    "an error that does not come": ("<!-- expect: ValueError -->\n```python\nx = 1\n```\n", "does not raise ValueError"),
    "another error": ("<!-- expect: ValueError -->\n```python\n1 / 0\n```\n", "raises ZeroDivisionError"),
    "other output": ("```python\nprint(1)\n```\n<!-- output -->\n```text\n2\n```\n", "is not what was printed:\n1"),
    "a part of the output": ("```python\nprint('a\\nb')\n```\n<!-- output -->\n```text\na\n```\n", "is not what was printed"),
    "lines in another order": ("```bash\nstatewise fit\n```\n<!-- output -->\n```text\nlast line\nfirst line\n```\n", "is not what"),
    "a console with other output": ("```console\n$ statewise judge\nready\n```\n", "is not what was printed"),
    "another exit code": ("```bash\nstatewise judge --fail\n```\n", r"ends with \[1\], not \[0\]"),
    "an exit code too good": ("<!-- expect: exit 1 -->\n```bash\nstatewise judge\n```\n", r"ends with \[0\], not \[1\]"),
    "an early failure": (
        "<!-- expect: exit 1 -->\n```bash\nstatewise --fail\nstatewise --fail\n```\n",
        r"ends with \[1, 1\], not \[0, 1\]",
    ),
    "output of nothing": ("<!-- output -->\n```text\n1\n```\n", "is the output of nothing"),
    "text that nobody compares": ("```text\n1\n```\n", "is neither run, nor output, nor a file"),
    "an unknown language": ("```toml\na = 1\n```\n", "of 'toml' is neither run"),
    "no language": ("```\na\n```\n", "of 'no language' is neither run"),
    "code called an illustration": ("<!-- illustration -->\n```rust\nx\n```\n", "of 'rust' is neither run"),
    "a wish to be skipped": ("<!-- test: skip because slow -->\n```python\nx = 1\n```\n", "unknown directive 'test: skip because slow'"),
    "an unknown program": ("```bash\ncurl x\n```\n", "does not know how to run 'curl'"),
    "an unknown goal of make": ("```bash\nmake tea\n```\n", r"ends with \[2\]"),
    "an extra that is not ours": ("```bash\npip install 'statewise[gpu]'\n```\n", "pip install"),
    "a package that is not ours": ("```bash\npip install statwise\n```\n", "pip install"),
    "a block without an end": ("```python\nx = 1\n", "without an end"),
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_the_runner_accepts(text: str, tmp_path: Path) -> None:
    assert run_text(text, tmp_path) > 0


@pytest.mark.parametrize(("text", "says"), BAD.values(), ids=BAD)
def test_the_runner_refuses(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=says):
        run_text(text, tmp_path)


def test_a_make_goal_runs_its_command_for_a_few_epochs_on_files_that_are_there(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def remember(arguments: list[str]) -> tuple[int, str]:
        seen.append(arguments)
        return 0, ""

    (tmp_path / "page.md").write_text("```bash\nmake run ARGS='--shuffle-labels'\n```\n", encoding="utf-8")
    Document(path=tmp_path / "page.md", folder=tmp_path, command=remember).run()
    ((first, *arguments),) = seen
    assert first == "fit"
    assert "--shuffle-labels" in arguments
    assert "--epochs" in arguments
    assert (tmp_path / arguments[arguments.index("--train") + 1]).is_file()


def test_a_traceback_points_into_the_document(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# Title\n\n```python\nx = 1\nraise KeyError\n```\n", encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        Document(path=tmp_path / "page.md", folder=tmp_path, command=stand_in).run()
    problem = caught.value.__cause__
    assert problem is not None
    assert problem.__traceback__ is not None
    assert problem.__traceback__.tb_next is not None
    assert problem.__traceback__.tb_next.tb_lineno == 5


ANSWER = "1. Why?\n\n<details><summary>Answer</summary>\n\n```python\nprint(1)\n```\n<!-- output -->\n```text\n1\n```\n</details>\n"


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("# A\n\n## Questions\n\n" + ANSWER * 3, True),
        ("# A\n\n## Questions\n\n" + ANSWER * 2, False),
        ("# A\n\n## Questions\n\n" + ANSWER * 3 + "\n## More\n", False),
        ("# A\n\n## Questions\n\n" + (ANSWER * 3).replace("<!-- output -->\n", "", 1), False),
        ("# A\n\n## Questions\n\n" + ANSWER * 2 + ANSWER.replace("```python\nprint(1)\n```\n", ""), False),
    ],
    ids=["three", "two", "not at the end", "one not compared", "one not computed"],
)
def test_questions_are_asked_at_the_end_and_answered_by_running(text: str, *, passes: bool, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    with contextlib.nullcontext() if passes else pytest.raises(DocumentError):
        check_questions(tmp_path / "page.md")


def test_blocks_know_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# A\n\n<!-- file: a.py -->\n\n```python\nx\n```\n```bash\n```\n", encoding="utf-8")
    first, second = read_blocks(tmp_path / "page.md")
    assert (first.line, first.text, first.directives) == (5, "x\n", {"file": "a.py"})
    assert (second.line, second.language, second.directives) == (8, "bash", {})


def test_trailing_blanks_do_not_count_but_missing_lines_do() -> None:
    assert same_text("a\nb\n", "a  \nb\n\n")
    assert not same_text("a\n", "a\nb\n")
    assert holds_lines("a\nc", "a\nb\nc\n")
    assert not holds_lines("c\na", "a\nb\nc\n")
    assert not holds_lines("...", "a\n")

"""How is a Markdown file run? Its blocks in order, in one folder and one namespace, and what they print is compared.

CONTRIBUTING.md has the rules for writers. A block that cannot be run or compared is an error: nothing is skipped in silence.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Command = Callable[[list[str]], tuple[int, str]]

ROOT = Path(__file__).parents[1]
QUICK = ("--epochs", "2")
"""In place of the epochs that `make run` would run: that the documented command works is shown here, what it reaches elsewhere."""
NOT_RUN = {"git": "fetches this very repository", "cd": "every document runs in a folder of its own"}

_FENCE = re.compile(r"^(?P<indent>\s*)```(?P<language>\S*)\s*$")
_COMMENT = re.compile(r"^\s*<!--\s*(?P<text>.*?)\s*-->\s*$")
_DIRECTIVE = re.compile(r"^(?:(?P<mark>output|illustration)|(?P<name>file|expect): (?P<value>\S.*))$")


class DocumentError(AssertionError):
    """A document promises what does not happen, or holds a block that nobody can check."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block, with what the comments right above it ask for."""

    language: str
    text: str
    line: int
    directives: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Document:
    """A Markdown file that can be run.

    Args:
        path: the file.
        folder: where its blocks run; it must hold the files that the document reads.
        command: runs `statewise` with some arguments, and returns the exit code and all that was printed.
    """

    path: Path
    folder: Path
    command: Command
    printed: str | None = None
    whole: bool = True

    def run(self) -> int:
        """Run every block from top to bottom and return how many there were."""
        space = types.ModuleType(f"document_{self.path.stem}")
        sys.modules[space.__name__] = space  # classes of a block look up their module there
        sys.path.insert(0, str(self.folder))  # files of the document can be imported, as where Python is started in their folder
        known = set(sys.modules)
        try:
            with contextlib.chdir(self.folder):
                blocks = list(read_blocks(self.path))
                for block in blocks:
                    self._run(block, space)
        finally:
            sys.path.remove(str(self.folder))
            for name in set(sys.modules) - known:
                if str(getattr(sys.modules[name], "__file__", None)).startswith(str(self.folder)):
                    del sys.modules[name]
            del sys.modules[space.__name__]
        return len(blocks)

    def _run(self, block: Block, space: types.ModuleType) -> None:
        if "file" in block.directives:
            target = Path(block.directives["file"])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif "output" in block.directives:
            self._compare(block)
        elif "illustration" in block.directives and block.language == "text":
            pass
        elif block.language == "python":
            self._run_python(block, space)
        elif block.language in ("bash", "console"):
            self._run_commands(block)
        else:
            raise self._wrong(block, f"a block of {block.language or 'no language'!r} is neither run, nor output, nor a file")

    def _run_python(self, block: Block, space: types.ModuleType) -> None:
        expected = block.directives.get("expect")
        source = "\n" * block.line + block.text  # so that a traceback shows lines of the document
        out, self.whole = io.StringIO(), True
        try:
            with contextlib.redirect_stdout(out):
                exec(compile(source, str(self.path), "exec"), vars(space))  # noqa: S102 - running the document is the test
        except Exception as problem:
            if type(problem).__name__ != expected:
                raise self._wrong(block, f"raises {type(problem).__name__}: {problem}") from problem
            out.write(f"{problem}\n")
        else:
            if expected:
                raise self._wrong(block, f"does not raise {expected}")
        self.printed = out.getvalue()

    def _run_commands(self, block: Block) -> None:
        lines = block.text.replace("\\\n", " ").splitlines()
        commands = [line.removeprefix("$ ") for line in lines if block.language == "bash" or line.startswith("$ ")]
        last = block.directives.get("expect", "exit 0").removeprefix("exit ")
        printed, codes = [], []
        for words in filter(None, (shlex.split(line, comments=True) for line in commands)):
            code, text = self._run_command(block, words)
            printed.append(text)
            codes.append(code)
        wanted = [0] * (len(codes) - 1) + [int(last)]
        if codes != wanted:
            raise self._wrong(block, f"ends with {codes}, not {wanted}, after printing:\n{''.join(printed)}")
        self.printed, self.whole = "".join(printed), False
        shown = [line for line in lines if not line.startswith("$ ")]
        if block.language == "console" and any(shown):
            self._compare(Block(language="text", text="\n".join(shown), line=block.line))

    def _run_command(self, block: Block, words: list[str]) -> tuple[int, str]:
        if words[0] == "statewise":
            return self.command(words[1:])
        if words[0] == "make":
            return self._make(words[1:])
        if words[0] == "pip" or words[:3] == ["python", "-m", "pip"]:
            check_requirements(words[words.index("pip") + 1 :])
            return 0, ""
        if words[0] in NOT_RUN:
            return 0, ""
        raise self._wrong(block, f"does not know how to run {words[0]!r}")

    def _make(self, words: list[str]) -> tuple[int, str]:
        """Run what `make` would run of statewise, without installing and for a few epochs."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        plan = subprocess.run(["make", "-n", "-C", ROOT, *words], check=False, capture_output=True, text=True, env=clean)
        if plan.returncode:
            return plan.returncode, plan.stdout + plan.stderr
        if not Path("src").exists():
            Path("src").symlink_to(ROOT / "src")
        done = [(0, "")]
        for line in plan.stdout.splitlines():
            program, *arguments = shlex.split(line) if "bin/statewise " in line else [""]
            if program.endswith("bin/statewise"):
                done.append(self.command([*_without_epochs(arguments), *QUICK]))
        return max(code for code, _ in done), "".join(text for _, text in done)

    def _compare(self, block: Block) -> None:
        if self.printed is None:
            raise self._wrong(block, "is the output of nothing: no block above it was run")
        same = same_text if self.whole else holds_lines
        if not same(block.text, self.printed):
            raise self._wrong(block, f"is not what was printed:\n{self.printed}")

    def _wrong(self, block: Block, what: str) -> DocumentError:
        return DocumentError(f"{self.path}:{block.line}: this block {what}\n---\n{block.text}")


def read_blocks(path: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a Markdown file.

    Raises:
        DocumentError: a comment above a block that is no known directive, or a block without an end.
    """
    directives: dict[str, str] = {}
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    for number, line in lines:
        if comment := _COMMENT.match(line):
            directives |= {comment["text"]: ""}
        elif fence := _FENCE.match(line):
            body = []
            for _, inner in lines:
                if inner.strip() == "```":
                    break
                body.append(inner.removeprefix(fence["indent"]) + "\n")
            else:
                raise DocumentError(f"{path}:{number}: a block without an end")
            known = dict(_read_directive(text, path, number) for text in directives)
            yield Block(language=fence["language"], text="".join(body), line=number, directives=known)
            directives = {}
        elif line.strip():
            directives = {}


def _read_directive(text: str, path: Path, line: int) -> tuple[str, str]:
    found = _DIRECTIVE.match(text)
    if not found:
        raise DocumentError(f"{path}:{line}: unknown directive '{text}'; there are: file, expect, output, illustration")
    return (found["name"] or found["mark"]), (found["value"] or "")


def same_text(expected: str, printed: str) -> bool:
    """Return whether all of `printed` is as expected; `...` stands for anything, trailing blanks do not count."""
    tidy = ["\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n" for text in (expected, printed)]
    return doctest.OutputChecker().check_output(tidy[0], tidy[1], doctest.ELLIPSIS)


def holds_lines(expected: str, printed: str) -> bool:
    """Return whether the expected lines are among those printed, in this order; other lines may stand between."""
    rest = iter(printed.splitlines())
    wanted = [line for line in expected.splitlines() if line.strip() not in ("", "...")]
    return bool(wanted) and all(any(same_text(line, found) for found in rest) for line in wanted)


def check_questions(path: Path) -> None:
    """Check that the last section asks, and that each answer runs a block and shows what that block prints.

    Raises:
        DocumentError: another last section, fewer than three answers, or one that is not computed or not shown.
    """
    last = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[-1]
    answers = re.findall(r"<details>\s*<summary>Answer</summary>(.*?)</details>", last, flags=re.DOTALL)
    if not last.startswith("Questions\n") or len(answers) < 3:
        raise DocumentError(f"{path}: does not end with a section '## Questions' of three answers; it has {len(answers)}")
    for answer in answers:
        kinds = re.findall(r"^\s*(<!-- output -->\s*```text|```python|```bash)", answer, flags=re.MULTILINE)
        if len(kinds) < 2 or "output" in kinds[0] or "output" not in kinds[-1]:
            raise DocumentError(f"{path}: an answer needs a block that is run and then its output: {answer}")


def check_requirements(words: list[str]) -> None:
    """Check that a documented `pip install` names our extras, our dependencies and files that are there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[\[<>=~! ]", each)[0] for each in project["dependencies"]}
    values = iter(words)
    for word in values:
        if word in ("-c", "-r", "--constraint", "--requirement"):
            _require((ROOT / next(values)).exists(), word)
        elif word.startswith(("--index-url", "--extra-index-url")):
            _ = "=" in word or next(values)
        elif word not in ("install", "-e", "--editable", "-U", "--upgrade"):
            parts = re.fullmatch(r"(?P<name>[\w.-]+)(?:\[(?P<extras>[\w,-]+)\])?(?P<version>[<>=~!].*)?", word)
            _require(parts is not None and parts["name"] in {"statewise", ".", *needed}, word)
            extras = set(filter(None, ((parts["extras"] if parts else "") or "").split(",")))
            _require(extras <= set(project["optional-dependencies"]), word)


def _require(holds: object, word: str) -> None:
    if not holds:
        raise DocumentError(f"pip install: {word!r} is not an option, file, extra or dependency of this project")


def _without_epochs(arguments: list[str]) -> list[str]:
    """Return the words of a command without `--epochs` and its number."""
    places = [place for place, word in enumerate(arguments) if word == "--epochs"]
    return [word for place, word in enumerate(arguments) if place not in places and place - 1 not in places]

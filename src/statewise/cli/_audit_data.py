"""How does `statewise audit` look at parts of a data set? They are read as `fit` reads them, and no process of a module's is needed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

from statewise.auditing import Audit, audit_data, require_known
from statewise.cli._reading import read_for_run, read_like, reading_of
from statewise.cli._show import warn
from statewise.cli._target import is_run, require_target
from statewise.errors import OptionError
from statewise.runs import RunFiles, load, record_data
from statewise.sequences import read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statewise.cli._apart import Request
    from statewise.runs import Run
    from statewise.sequences import Sequences


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PartFiles:
    """The parts of a data set, to audit instead of a module."""

    train: Path | None = None
    "The training part of a data set: audits the parts, and no module; with a run, against what its model knows of them."
    valid: Path | None = None
    "Its validation part."
    test: Path | None = None
    "Its test part."
    score: float | None = None
    "The accuracy that a model reaches on the last part; that of the run where one is named."

    def files(self) -> tuple[Path | None, ...]:
        """Return the files, given or not."""
        return self.train, self.valid, self.test

    def options(self) -> list[str]:
        """Return the names of the options that were given."""
        return [name for name, value in asdict(self).items() if value is not None]

    def given(self) -> bool:
        """Return whether an audit of data is asked for."""
        return bool(self.options())


def audit_files(parts: PartFiles, request: Request, *, others: Mapping[str, bool]) -> Audit:
    """Return the audit of the parts that were named.

    Args:
        parts: their files.
        request: the other words of the command: a run, the columns, which checks.
        others: by option that says something of modules alone, whether it was given.

    Raises:
        OptionError: options that do not go together.
    """
    _check(parts, request, others)
    assert parts.train is not None
    options = {"score": parts.score, "select": request.select, "ignore": request.ignore, "seed": request.seed}
    if request.target:
        run = load(request.target)
        train, valid, test = (None if file is None else read_for_run(run, file, request.columns) for file in parts.files())
        assert train is not None
        found = audit_data(train, valid, test, run=run, **options)  # type: ignore[arg-type]  # each is what its name says
        _keep(found, run, train, is_whole=not (request.select or request.ignore))
        return found
    train = read(parts.train, **request.columns.given())
    chosen = reading_of(train, request.columns)
    valid, test = (None if file is None else read_like(train, file, chosen) for file in (parts.valid, parts.test))
    return audit_data(train, valid, test, **options)  # type: ignore[arg-type]  # as above


def _keep(found: Audit, run: Run, train: Sequences, *, is_whole: bool) -> None:
    """Write the audit into the run, whose verdict reads it, where all checks were asked about the data that it was trained on."""
    assert run.directory is not None
    trained = run.config.data.get("train")
    if not is_whole:
        warn("not kept in the run: only some checks were asked")
    elif trained is None or trained.sha256 != record_data(train).sha256:
        warn("not kept in the run: --train holds other data than it was trained on")
    else:
        found.save(RunFiles(run.directory).data_audit)
        warn(f"kept in the run, for its verdict: {RunFiles(run.directory).data_audit}")


def _check(parts: PartFiles, request: Request, others: Mapping[str, bool]) -> None:
    """Refuse whatever cannot be meant, before a file is read."""

    def refuse(where: str, arrived: str, hint: str) -> OptionError:
        return OptionError(asked="statewise audit", where=where, arrived=arrived, hint=hint)

    if parts.train is None:
        raise refuse("--train", "nothing, beside a later part of the data", "Name the training part too: --train FILE.")
    for option, is_given in others.items():
        if is_given:
            raise refuse(f"--{option}", "an option that means nothing for an audit of data (--train)", "Leave it out.")
    if request.columns.max_steps is not None:
        hint = "Leave it out: the parts are looked at as they are, and pieces are cut for training."
        raise refuse("--max-steps", str(request.columns.max_steps), hint)
    if request.target and not is_run(require_target(Path(request.target), "audit", "a run directory, or nothing beside --train")):
        raise refuse(f"'{request.target}'", "a file", "Beside --train name a run directory, or nothing.")
    for option, codes in (("--select", request.select), ("--ignore", request.ignore)):
        require_known(codes, asked="statewise audit", where=option, family="data")

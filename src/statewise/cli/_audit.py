"""`statewise audit`: has a module one of the silent bugs of hidden state, padding and batches, or a training gone wrong?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from statewise.auditing import Audit, FailOn, encode, held_against, is_sound, require_known
from statewise.cli._apart import Request, audit_apart
from statewise.cli._audit_data import PartFiles, audit_files
from statewise.cli._audit_history import audit_file_of_history
from statewise.cli._out import require_writable
from statewise.cli._reading import Columns
from statewise.cli._show import OutputFormat, say, show
from statewise.cli._target import is_run, require_target
from statewise.errors import OptionError
from statewise.runs import RunFiles

TIMEOUT = 600.0
"""Seconds that an audit may take."""
_Codes = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]
_NOT_ENOUGH_EVIDENCE = 3


def audit(
    target: str | None = None,
    /,
    *,
    weights: Path | None = None,
    contract: str | None = None,
    call: str | None = None,
    example: str | None = None,
    data: Path | None = None,
    parts: PartFiles | None = None,
    history: Path | None = None,
    columns: Columns | None = None,
    select: _Codes = (),
    ignore: _Codes = (),
    seed: int = 0,
    fast: Annotated[bool, Parameter(negative="")] = False,
    fail_on: FailOn = "fail",
    timeout: float = TIMEOUT,
    out: Path | None = None,
    output_format: OutputFormat = "text",
) -> int:
    """Look for silent bugs in a module: state, padding, batches, causality, randomness; or for leaks in data.

    With --train it is the parts of a data set that are audited, with --history a training, and no module is needed. Else the module runs
    in a process of its own, on a few short sequences; it is not trained, and nothing of it is changed. Ends with 0 when it is sound, 1 with
    a finding, 3 when a check ended in an error or none could be judged.

    Args:
        target: a run directory, or file.py:function (package.module:function) that makes the module.
        weights: for a function: a state dict to load into the module, .safetensors or what torch.save wrote of one.
        contract: for a function: file.py:NAME of a statewise.Contract, what the module promises; read off and tried where not given.
        call: for a function: file.py:function(module, batch) that calls the module, for what a contract cannot say.
        example: for a function: file.py:NAME of a batch as the module takes it, or of a function that makes one; instead of data.
        data: a file with sequences that the module reads; for a run, the sequence kept with it by default, else values are drawn.
        parts: files of the parts of a data set, which are audited instead of a module; with a run, for its verdict.
        history: instead of a module, a training: its history.jsonl, or a csv with a row an epoch: loss, accuracy, valid_loss.
        columns: which column means what; as in training where not given.
        select: codes, or beginnings of codes, of the checks to run; all by default.
        ignore: codes, or beginnings of codes, of checks that are not run.
        seed: of the weights and of the probes.
        fast: ask one batch of short sequences, and not three.
        fail_on: the least that ends with 1: fail, or warn.
        timeout: seconds until an audit that does not come back is ended.
        out: write the audit as JSON; that of a run's module is always written into it.
        output_format: text or json.
    """
    request = Request(
        target=target or "", weights=None if weights is None else str(weights), contract=contract, call=call, example=example,
        data=None if data is None else str(data), columns=columns or Columns(), select=select, ignore=ignore, seed=seed, fast=fast,
    )  # fmt: skip
    files, of_modules = parts or PartFiles(), _of_modules(request, timeout)
    read = (weights, data, history, *files.files())
    require_writable(out, read, command="audit", writes="JSON", suffixes=(".json",), own="audit.json")
    if history is not None:
        beside = {**of_modules, **dict.fromkeys(request.columns.given(), True), "seed": seed != 0, **dict.fromkeys(files.options(), True)}
        found = audit_file_of_history(history, target=target, beside=beside, select=select, ignore=ignore)
    else:
        found = audit_files(files, request, others=of_modules) if files.given() else _audit_module(request, timeout)
    if out is not None:
        found.save(out)
    if output_format == "json":
        say(encode(found.record()).decode())
    else:
        show(found)
    return exit_code(found, fail_on)


def _audit_module(request: Request, timeout: float) -> Audit:
    """Return the audit of a module, and write that of a run into it."""
    _check(request, timeout)
    found = audit_apart(request, timeout=timeout)
    if Path(request.target).is_dir():
        found.save(RunFiles(request.target).audit)
    return found


def _of_modules(request: Request, timeout: float) -> dict[str, bool]:
    """Return the options that say something of modules alone, and whether each was given."""
    named = {name: getattr(request, name) is not None for name in ("weights", "contract", "call", "example", "data")}
    return {**named, "fast": request.fast, "timeout": timeout != TIMEOUT}


def exit_code(found: Audit, fail_on: FailOn) -> int:
    """Return 0 for a sound module, 1 for findings at or above `fail_on`, 3 where not enough is known."""
    if held_against(found.outcomes, fail_on):
        return 1
    return 0 if is_sound(found.outcomes, fail_on) else _NOT_ENOUGH_EVIDENCE


def _check(request: Request, timeout: float) -> None:
    """Refuse whatever cannot be meant, before a process is started."""

    def refuse(where: str, arrived: str, hint: str) -> OptionError:
        return OptionError(asked="statewise audit", where=where, arrived=arrived, hint=hint)

    kinds, target = "a run directory, or file.py:function that makes a module", request.target
    if ":" not in target or Path(target).exists():
        path = require_target(Path(target) if target else None, "audit", kinds)
        if not is_run(path):
            raise refuse(f"'{path}'", "a file", f"Name {kinds}.")
        for option in ("weights", "contract", "call", "example"):
            if getattr(request, option) is not None:
                raise refuse(f"--{option}", "an option that means nothing for a run, which holds its own", "Leave it out.")
    if request.data is not None and request.example is not None:
        raise refuse("--example", "an example beside --data", "Give one: both say what a step is.")
    columns = list(request.columns.given())
    if request.data is None and columns:
        raise refuse(f"--{columns[0]}", "an option that means nothing without --data", "Name the file: --data FILE.")
    if not timeout > 0:
        raise refuse("--timeout", f"{timeout:g}", "Give a number of seconds above 0.")
    for option, codes in (("--select", request.select), ("--ignore", request.ignore)):
        require_known(codes, asked="statewise audit", where=option)

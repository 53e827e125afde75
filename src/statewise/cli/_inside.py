"""What happens in the child process of an audit? It makes the module, audits it, and leaves what came out in the shared folder."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from statewise.auditing import Progress, audit
from statewise.cli._apart import FOLDING, Refusal, Request, Shared
from statewise.cli._reading import read_for_run, tell_notes
from statewise.contracts import Contract
from statewise.errors import OptionError, RunError, StatewiseError, kind_of
from statewise.files import write_atomically
from statewise.models import Model
from statewise.runs import Run, RunFiles, find_named, load, make_from_factory, read_example
from statewise.sequences import Sequences, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.contracts import Call

_ASKED = "statewise audit"
_LOOK = 1.0
"""Seconds between two looks at whether the parent is still there."""


class Subject(NamedTuple):
    """What is audited, on which data, and what is known of how it is called."""

    module: nn.Module
    data: Sequences | None
    contract: Contract | None = None
    call: Call | None = None
    example: Any = None


def main(folder: str) -> None:
    """Audit what the request in the folder names, and leave the record, a refusal, or the trace of a crash there."""
    files = Shared(folder)
    request = msgspec.json.decode(files.request.read_bytes(), type=Request)
    try:
        subject = _of_run(request) if Path(request.target).is_dir() else _of_factory(request)
        with files.progress.open("w", encoding="utf-8", buffering=1) as told:  # line by line: the parent reads along

            def tell(progress: Progress) -> None:
                files.keep(progress.so_far)
                print(progress.done, progress.total, progress.code or FOLDING, file=told)

            found = audit(
                subject.module, subject.data, example=subject.example, contract=subject.contract, call=subject.call, select=request.select,
                ignore=request.ignore, seed=request.seed, fast=request.fast, progress=tell,
            )  # fmt: skip
        found.save(files.record)
    except StatewiseError as problem:
        facts = {name: getattr(problem, name) for name in Refusal.__struct_fields__}
        write_atomically(files.refusal, msgspec.json.encode(Refusal(**facts)))
    except Exception:  # noqa: BLE001  # told by the parent as a crash of ours
        write_atomically(files.crash, traceback.format_exc())


def _leave_with(parent: int) -> None:
    """End this process, and all that the module started, once its parent is gone: one that was killed can end nobody.

    Args:
        parent: its process; told, since who came after it may be there already.
    """
    while os.getppid() == parent:
        time.sleep(_LOOK)
    if os.name == "posix":
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _of_run(request: Request) -> Subject:
    run = load(request.target)
    if run.model is None or run.config.uses_call:
        raise RunError(
            asked=_ASKED,
            where=f"run '{request.target}'",
            arrived=f"its model is a {run.config.model_name}, which is made in Python" + (" and called by a call=" * run.config.uses_call),
            hint=f"Audit it there: statewise.audit(module, data, contract=..., call=...).save('{RunFiles(request.target).audit}').",
        )
    data = read_for_run(run, Path(request.data), request.columns, labelled=False) if request.data is not None else data_of(run)
    return Subject(run.model, data, None if isinstance(run.model, Model) else run.contract)


def data_of(run: Run) -> Sequences | None:
    """Return the sequence that a run keeps, or None where it keeps none: then the probes are drawn."""
    return read_example(run) if RunFiles(run.directory or "").example.is_file() else None


def _of_factory(request: Request) -> Subject:
    torch.manual_seed(request.seed)
    module = make_from_factory(request.target, asked=_ASKED)
    if request.weights is not None:
        _load_into(module, Path(request.weights))
    data = None if request.data is None else read(request.data, **request.columns.given())
    if data is not None:
        tell_notes(data)
    return Subject(module, data, _contract(request.contract), _call(request.call), _example(request.example))


def _contract(target: str | None) -> Contract | None:
    """Return the contract that `--contract` names, or None where it names none."""
    hint = "Name a contract: CONTRACT = statewise.Contract(takes=..., ...)."
    found: Contract | None = _named("--contract", target, "CONTRACT", lambda each: isinstance(each, Contract), hint)
    return found


def _call(target: str | None) -> Call | None:
    """Return the function that `--call` names, or None where it names none."""
    hint = "Name a function: def call(module, batch): return module(batch.x, batch.lengths)."
    found: Call | None = _named("--call", target, "call", lambda each: callable(each) and not isinstance(each, nn.Module | type), hint)
    return found


def _named(option: str, target: str | None, like: str, fits: Callable[[Any], bool], hint: str) -> Any:
    """Return what an option names, or None where it names nothing.

    Raises:
        OptionError: it is not there, or does not fit.
    """
    if target is None:
        return None
    found = find_named(target, where=f"{option} {target!r}", like=f"models.py:{like}", asked=_ASKED)
    if not fits(found):
        raise OptionError(asked=_ASKED, where=f"{option} {target!r}", arrived=kind_of(found), hint=hint)
    return found


def _example(target: str | None) -> Any:
    """Return the batch that `--example` names, or that the function makes which it names; None where it names nothing.

    Raises:
        OptionError: it is not there, or the function raises.
    """
    found = _named("--example", target, "BATCH", lambda _: True, "")
    if not callable(found):
        return found
    try:
        return found()
    except Exception as problem:  # whatever a stranger's function raises
        arrived = f"it raised {type(problem).__name__}: {problem}"
        raise OptionError(
            asked=_ASKED, where=f"--example {target!r}", arrived=arrived, hint="Name a function without arguments."
        ) from problem


def _load_into(module: nn.Module, path: Path) -> None:
    """Load a state dict, of safetensors or of torch; nothing but weights is unpickled.

    Raises:
        OptionError: the file cannot be read, or the module has other parameters.
    """

    def refused(arrived: str, hint: str) -> OptionError:
        return OptionError(asked=_ASKED, where=f"--weights '{path}'", arrived=arrived, hint=hint)

    try:
        content = path.read_bytes()
        tensors = load_tensors(content) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except OSError as problem:
        raise refused(problem.strerror or str(problem), "Name a file that is there and may be read.") from problem
    except (SafetensorError, ValueError) as problem:
        raise refused(f"damaged ({problem})", "Save it again: safetensors.torch.save_file(module.state_dict(), ...).") from problem
    except Exception as problem:  # torch.load raises whatever the bytes lead to
        says = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        hint = "Save the weights alone: torch.save(module.state_dict(), path), or safetensors."
        raise refused(f"not a file of weights alone ({says})", hint) from problem
    if not isinstance(tensors, dict) or not all(isinstance(each, Tensor) for each in tensors.values()):
        raise refused("something else than a dict of tensors", "Save module.state_dict(), and not the module or a checkpoint of more.")
    try:
        module.load_state_dict(tensors)
    except RuntimeError as problem:
        says = " ".join(str(problem).split())[:300]
        raise refused(says, "Name the weights of a module of the same class and sizes.") from problem


if __name__ == "__main__":
    threading.Thread(target=_leave_with, args=(int(sys.argv[2]),), daemon=True).start()
    main(sys.argv[1])

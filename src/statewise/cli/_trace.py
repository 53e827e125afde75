"""`statewise trace`: what happens inside, for one sequence; or, with --history, epoch by epoch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from statewise.cli._out import require_writable
from statewise.cli._reading import Columns, read_for_run
from statewise.cli._show import OutputFormat, say, show
from statewise.cli._target import is_run, require_target
from statewise.errors import OptionError, nearest
from statewise.files import write_atomically
from statewise.runs import load, make_from_factory, read_example, read_history
from statewise.sequences import Sequences, read, told
from statewise.tracing import Trace, demo_trace
from statewise.tracing import trace as trace_model
from statewise.training import training_trace

if TYPE_CHECKING:
    from torch import nn

    from statewise.runs import Run


def trace(
    target: str | None = None,
    /,
    *,
    data: Path | None = None,
    columns: Columns | None = None,
    sequence: str | None = None,
    history: Path | None = None,
    demo: Annotated[bool, Parameter(negative="")] = False,
    gradients: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
    out: Path | None = None,
    output_format: OutputFormat = "text",
) -> int:
    """Show shapes and values inside a model, step by step.

    Args:
        target: a run directory, or file.py:function that makes a module, trained or not.
        data: the file that the sequence is taken from; for a run, the sequence kept with it by default.
        columns: which column means what; as in training where not given.
        sequence: the key of the sequence; the first one by default.
        history: instead: tell a training epoch by epoch, from a history.jsonl or a csv with columns loss,accuracy.
        demo: instead: a small model of 5 features, a state of 4 and 3 classes, over 10 steps.
        gradients: also run backwards: how much the answer changes with what was read at each step before the last.
        seed: of the weights and numbers of --demo.
        out: write the trace as one HTML file.
        output_format: text or json.
    """
    chosen = [name for name, given in (("a target", target is not None), ("--history", history is not None), ("--demo", demo)) if given]
    if len(chosen) != 1:
        raise OptionError(
            asked="statewise trace",
            where="what to trace",
            arrived=" and ".join(chosen) or "nothing",
            hint="Give one of: a run directory, file.py:function, --history FILE, --demo.",
        )
    require_writable(out, (data, history), command="trace", writes="HTML", suffixes=(".html", ".htm"))
    _require_used(data=data, sequence=sequence, out=out, history=history, demo=demo)
    if history is not None:
        story = training_trace(read_history(history))
        if gradients and story.through_time is None:
            raise OptionError(
                asked="statewise trace",
                where="--gradients",
                arrived=f"a history in which no gradients through time were measured ('{history}')",
                hint="Train with: statewise fit ... --gradients-by-lag; or trace the run itself, without --history.",
            )
        show(story) if output_format == "text" else say(msgspec.json.format(msgspec.json.encode(story), indent=2).decode())
        return 0
    found = (
        demo_trace(seed, gradients=gradients)
        if demo
        else _trace_target(target or "", data, columns or Columns(), sequence, gradients=gradients)
    )
    if out is not None:
        write_atomically(out, found.to_html(page=True), asked="write the trace")
    if output_format == "json":
        say(msgspec.json.format(msgspec.json.encode(found.to_dict()), indent=2).decode())
    else:
        show(found)
    return 0


def _trace_target(target: str, data: Path | None, columns: Columns, key: str | None, *, gradients: bool) -> Trace:
    if ":" in target and not Path(target).exists():
        module = make_from_factory(target, asked="statewise trace")
        if data is None:
            raise OptionError(
                asked="statewise trace", where="--data", arrived="nothing", hint="Name the file that the sequence is taken from."
            )
        return _traced(module, _one(read(data, **columns.given()), key), gradients=gradients)
    path = require_target(Path(target), "trace", "a run directory or file.py:function")
    if not is_run(path):
        raise OptionError(asked="statewise trace", where=f"'{path}'", arrived="a file", hint="Name a run directory, or file.py:function.")
    run = load(path)
    if data is not None:
        return _traced(run, _one(read_for_run(run, data, columns), key), gradients=gradients)
    example = read_example(run)
    if key is not None and key not in (example.keys or ()):
        raise OptionError(
            asked="statewise trace",
            where="--sequence",
            arrived=f"{key!r}, and the run keeps one sequence alone, {(example.keys or ('',))[0]!r}",
            hint="Name the file that it is taken from: --data FILE; or leave --sequence out.",
        )
    return _traced(run, example, gradients=gradients)


def _traced(model: nn.Module | Run, example: Sequences, *, gradients: bool) -> Trace:
    """Return the trace of one sequence, which its title names."""
    found = trace_model(model, example, gradients=gradients)
    return replace(found, title=f"{found.title}, sequence {told((example.keys or ('',))[0])}")


def _require_used(*, data: Path | None, sequence: str | None, out: Path | None, history: Path | None, demo: bool) -> None:
    """Refuse options that what is traced has no use for, rather than pass over them."""
    if history is None and not demo:
        return
    of = "--history" if history is not None else "--demo"
    given = {"--data": data, "--sequence": sequence, "--out": out if history is not None else None}
    for name, value in given.items():
        if value is not None:
            raise OptionError(asked="statewise trace", where=name, arrived=f"an option that means nothing for {of}", hint="Leave it out.")


def _one(data: Sequences, key: str | None) -> Sequences:
    keys = list(data.keys or ())
    if key is not None and key not in keys:
        raise OptionError(asked="statewise trace", where="--sequence", arrived=repr(key), hint=nearest(key, keys))
    return data.select([0 if key is None else keys.index(key)])

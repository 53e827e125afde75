"""SW604: does the scripted or traced module say what the module says?"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch

from statewise.auditing._check import Found, check
from statewise.auditing._copies import own_numbers
from statewise.auditing._findings import bad, observed
from statewise.auditing._subject import Failed, gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._probe import Probe
    from statewise.auditing._subject import Subject


@check("SW604", "traced-differs", needs=("repeatable", "plain_call"))
def traced_differs(subject: Subject) -> Found:
    """The traced module says what the module says, at other sizes too.

    How:
        The module is traced on the probe, and asked about fewer sequences, with more padding, and about longer ones; so is the module.
    Why:
        Tracing freezes whatever Python decided: a size, a branch, a zero state. A module that is never exported need not care: it is
        held against those that promise Contract(exported=True), and told of others.
    Mend:
        Take sizes from tensors inside the call, avoid Python branches on values, or export by torch.export with dynamic sizes.
    Seen in:
        pytorch/pytorch#15319, pytorch/pytorch#59530
    """
    module = subject.fresh()
    try:
        with warnings.catch_warnings(), own_numbers(subject.seed, subject.dtype), torch.no_grad():
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(module, tuple(_arguments(subject, subject.probe)), check_trace=False)
    except Exception as problem:  # noqa: BLE001  # not every module can be traced, and none need be
        evidence = f"the module cannot be traced: {type(problem).__name__}"
        return _held(subject, evidence) if subject.contract.exported else Found(status="not_applicable", evidence=evidence)
    worst, size, control, where = 0.0, 0.0, 0.0, None
    for name, probe in {
        "as traced": subject.probe,
        "two sequences": subject.probe.rows([0, 1]),
        "more padding": subject.probe.padded(2),
        "sequences twice as long": subject.whole.end_to_end(2),
    }.items():
        given = tuple(_arguments(subject, probe))
        with own_numbers(subject.seed, subject.dtype), torch.no_grad():
            try:
                wanted = _first(subject.fresh()(*given))
            except Exception as problem:  # whatever a stranger's forward raises
                if probe is subject.probe:
                    raise Failed(problem) from problem
                continue  # of a size that the module itself does not answer nothing can be said
            try:
                found = _first(traced(*given))
            except Exception as problem:  # noqa: BLE001  # what a frozen size leads to
                return _held(subject, f"the traced module fails on {name}: {str(problem).splitlines()[-1][:120]}", where=name)
        subject.original.num_calls += 1
        if found.shape != wanted.shape:
            return _held(subject, f"the traced module gives {tuple(found.shape)} instead of {tuple(wanted.shape)} on {name}", where=name)
        apart = gap(found, wanted)
        size, control = max(size, size_of(wanted)), max(control, size_of(wanted))
        if apart > worst:
            worst, where = apart, name
    if subject.is_real(worst, 0.0, size):
        return _held(subject, f"tracing changes the answers by {worst:.2g} on {where}", value=worst, control=control, where=where)
    return Found(
        status="pass", evidence=f"the traced module says the same at other sizes too (up to {worst:.2g})", value=worst, control=control
    )


def _held(subject: Subject, evidence: str, **more: Any) -> Found:
    """Return what is held against a module that promises to be exported, and told of any other."""
    found = bad(subject, evidence, **more)
    return found if subject.contract.exported else observed(found)


def _arguments(subject: Subject, probe: Probe) -> list[Any]:
    return subject.door.arguments(subject.fresh(), probe.batch(subject.dtype))


def _first(result: Any) -> torch.Tensor:
    first = result[0] if isinstance(result, tuple) else result
    assert isinstance(first, torch.Tensor)
    return first

"""SW112: does a state follow the dtype of the module?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.utils.rnn import PackedSequence

from statewise.auditing._check import Found, check
from statewise.auditing._copies import own_numbers
from statewise.auditing._subject import Failed
from statewise.errors import StatewiseError
from statewise.state import leaves

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject
    from statewise.types import State


@check("SW112", "dtype-fixed", after=("SW114",))
def dtype_fixed(subject: Subject) -> Found:
    """In float64 a module runs in float64, its state too.

    How:
        A copy is turned to float64 and asked in it, while float32 is torch's default as ever. It must answer in float32.
    Why:
        What is made in a fixed dtype, or on a fixed device, fails in half precision and on another device, or rounds in the middle.
    Mend:
        x.new_zeros(...), or torch.zeros(..., dtype=x.dtype, device=x.device).
    """
    subject.call(subject.fresh(torch.float32), subject.probe, torch.float32, seed=subject.seed)
    try:
        output, state = _in_float64(subject)
    except Failed as problem:
        return Found(status="warn", evidence=f"in float64 the module fails: {problem}")
    floating = [(path, leaf.dtype) for path, leaf in [("the outputs", output), *leaves(state)] if leaf.is_floating_point()]
    narrow = [(path, dtype) for path, dtype in floating if dtype != torch.float64]
    if narrow:
        path, dtype = narrow[0]
        return Found(status="warn", evidence=f"in float64 {path or 'the state'} came back as {dtype}", where=path or "the state")
    return Found(status="pass", evidence="in float64 outputs and state are float64")


def _in_float64(subject: Subject) -> tuple[torch.Tensor, State]:
    """Return what a copy in float64 gives back."""
    module = subject.fresh(torch.float64)
    subject.original.num_calls += 1
    try:
        with own_numbers(subject.seed), torch.no_grad():
            output, state = subject.door.ask(module, subject.probe.batch(torch.float64))
    except StatewiseError:
        raise
    except Exception as problem:  # whatever a stranger's forward raises
        raise Failed(problem) from problem
    return (output.data if isinstance(output, PackedSequence) else output), state

"""SW112: does a state follow the dtype of the module?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from statewise.auditing._check import Found, check
from statewise.auditing._subject import Failed
from statewise.state import leaves

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW112", "dtype-fixed", after=("SW114",))
def dtype_fixed(subject: Subject) -> Found:
    """In float64 a module runs in float64, its state too.

    How:
        A copy is turned to float64 and asked in it, with float64 as torch's default too.
    Why:
        What is made in a fixed dtype, or on a fixed device, fails in half precision and on another device, or rounds in the middle.
    Mend:
        x.new_zeros(...), or torch.zeros(..., dtype=x.dtype, device=x.device).
    """
    module = subject.original.fresh(torch.float64)
    try:
        answer = subject.call(module, subject.probe, torch.float64, seed=subject.seed)
    except Failed as problem:
        return Found(status="warn", evidence=f"in float64 the module fails: {problem}")
    floating = [(path, leaf.dtype) for path, leaf in [("the outputs", answer.outputs), *leaves(answer.state)] if leaf.is_floating_point()]
    narrow = [(path, dtype) for path, dtype in floating if dtype != torch.float64]
    if narrow:
        path, dtype = narrow[0]
        return Found(status="warn", evidence=f"in float64 {path or 'the state'} came back as {dtype}", where=path or "the state")
    return Found(status="pass", evidence="in float64 outputs and state are float64")

"""SW120: does what a module makes follow its weights to another device?"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from statewise.auditing._check import Found, check
from statewise.auditing._copies import own_numbers
from statewise.state import map_tensors

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject

_STEPS = 2
_APART = re.compile(r"same device|expected device|different devices?|two devices|found .* device", re.IGNORECASE)
"""What torch says where tensors of two devices meet."""


class _codes_beside_tables(TorchFunctionMode):  # noqa: N801  # read as `with _codes_beside_tables():`
    """Codes are looked up where their table is, as everywhere but on the meta device, which lets them be anywhere."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, or refuse to."""
        del types
        if getattr(function, "__name__", "") == "embedding":
            devices = {each.device for each in (*args, *(kwargs or {}).values()) if isinstance(each, torch.Tensor)}
            if len(devices) > 1:
                raise RuntimeError("Expected all tensors to be on the same device, but the codes of an embedding are on another")
        return function(*args, **(kwargs or {}))


@check("SW120", "device-fixed", needs=("own_beginning",))
def device_fixed(subject: Subject) -> Found:
    """What a module makes during a call is where its weights are.

    How:
        A copy is moved to torch's meta device, on which every operation is checked and none is computed, and asked about sequences that are
        there; lengths are given on the CPU, and then there too. Where torch says both times that tensors are on two devices, something was
        made on a fixed one.
    Why:
        The module runs on a CPU alone, or fails on the second GPU.
    Mend:
        x.new_zeros(...), or torch.zeros(..., device=x.device); register_buffer for constants, so that they move with the module.
    """
    meta = torch.device("meta")
    said = ""
    for lengths_at in ("cpu", "meta"):
        batch = subject.whole.steps(0, _STEPS).batch()  # a step takes long there
        if not isinstance(batch.x, torch.Tensor):
            return Found(status="not_applicable", evidence="the module reads several inputs")
        try:
            module = subject.original.moved(meta)
            subject.door.reset(module)
            moved = replace(
                batch, x=batch.x.to(meta), mask=batch.mask.to(meta), is_first=batch.is_first.to(meta), lengths=batch.lengths.to(lengths_at),
                state=map_tensors(lambda leaf: leaf.to(meta), batch.state),
            )  # fmt: skip
            with own_numbers(subject.seed), torch.no_grad(), _codes_beside_tables():
                subject.original.num_calls += 1
                subject.door.ask(module, moved)
        except Exception as problem:  # noqa: BLE001  # not everything can be asked there, and nothing need be
            said = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
            if not _APART.search(said):
                return Found(status="not_applicable", evidence=f"the module cannot be asked on the meta device: {said[:100]}")
        else:
            return Found(status="pass", evidence="asked on the meta device, no tensors of two devices met")
    return Found(status="warn", evidence=f"on another device tensors meet that are not there: {said}")

"""SW603, SW606, SW607 and SW113: what does a call change besides its answer?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from statewise.auditing._check import Found, check
from statewise.auditing._copies import own_numbers
from statewise.auditing._cures import mode_restored, weights_restored
from statewise.auditing._findings import bad
from statewise.auditing._subject import Failed, gap

if TYPE_CHECKING:
    from torch import nn

    from statewise.auditing._subject import Subject
    from statewise.contracts import Batch


@check("SW603", "mode-changed", cure=mode_restored)
def mode_changed(subject: Subject) -> Found:
    """A call leaves the module in the mode in which it was.

    How:
        A copy is called in eval mode and another in training mode; `training` of every part is compared before and after.
    Why:
        Dropout and batch statistics are on in figures, or off for the rest of the training.
    Mend:
        forward calls neither train() nor eval(); what evaluates restores the mode that it found.
    """
    for training in (False, True):
        module = subject.fresh().train(training)
        before = {name: part.training for name, part in module.named_modules()}
        subject.ask(subject.probe, module)
        changed = [name or "the module" for name, part in module.named_modules() if before.get(name, part.training) != part.training]
        if changed:
            mode = "training" if training else "eval"
            return bad(subject, f"a call in {mode} mode switched {', '.join(changed)}", where=", ".join(changed))
    return Found(status="pass", evidence="a call in either mode leaves every part in it")


@check("SW606", "input-changed-in-place")
def input_changed_in_place(subject: Subject) -> Found:
    """A call leaves its inputs as they are.

    How:
        What went in, with other sequences' values for padding, is compared with a copy after the call.
    Why:
        The second epoch reads other data than the first, and whoever shares the tensor sees the change.
    Mend:
        Write x = x - mean, not x -= mean; masked_fill, not masked_fill_; clone() before assigning into a slice.
    """
    probe = subject.probe.padded_with(subject.filling)
    batch, kept = probe.batch(subject.dtype), probe.batch(subject.dtype)
    module = subject.fresh()
    with own_numbers(subject.seed, subject.dtype), torch.no_grad():
        subject.original.num_calls += 1
        try:
            subject.door.ask(module, batch)
        except Exception as problem:  # whatever a stranger's forward raises
            raise Failed(problem) from problem
    before = _inputs(kept)
    changed = [name for name, now in _inputs(batch).items() if not torch.equal(now, before[name])]
    if changed:
        return bad(subject, f"a call changed {', '.join(changed)}", where=", ".join(changed))
    return Found(status="pass", evidence=f"{', '.join(before)} are as they were")


def _inputs(batch: Batch) -> dict[str, torch.Tensor]:
    """Return every tensor of a batch by name; the state is another check's."""
    inputs = {"x": batch.x} if isinstance(batch.x, torch.Tensor) else batch.x
    static = {} if batch.static is None else {"static": batch.static}
    return {**inputs, **static, "lengths": batch.lengths, "mask": batch.mask, "is_first": batch.is_first}


@check("SW607", "weights-changed", after=("SW113", "SW603"), cure=weights_restored)
def weights_changed(subject: Subject) -> Found:
    """A call in eval mode changes no weight and no buffer.

    How:
        Every parameter, and every buffer that is saved, is compared with a copy after a call in eval mode.
    Why:
        The module drifts while it is evaluated or serves: no two answers come from the same weights.
    Mend:
        Update running statistics in training alone, and never write into a weight in forward.
    """
    changed = _changed(subject)
    if not changed or subject.contract.stateful:
        return Found(status="pass", evidence="every weight and buffer is as it was" if not changed else "what changes is the state (SW113)")
    return bad(subject, f"a call in eval mode changed {', '.join(changed)}", where=", ".join(changed))


@check("SW113", "state-saved-with-weights", needs=("stateful",))
def state_saved_with_weights(subject: Subject) -> Found:
    """The state that a module keeps is not among what is saved.

    How:
        The state_dict of a copy that keeps its state inside is compared before and after a call.
    Why:
        A checkpoint holds the state of whatever came last: a new process begins in the middle of it, and another batch size does not load.
    Mend:
        register_buffer(..., persistent=False), or better a state that goes in and comes out.
    """
    changed = _changed(subject)
    if changed:
        return bad(subject, f"a call changed {', '.join(changed)} of the state_dict", where=", ".join(changed))
    return Found(status="pass", evidence="a call changes nothing in the state_dict")


def _changed(subject: Subject) -> list[str]:
    """Return the names of what a call in eval mode changes in the state_dict."""
    module: nn.Module = subject.fresh()
    before = {name: value.detach().clone() for name, value in module.state_dict().items()}
    subject.ask(subject.probe, module)
    after = module.state_dict()
    return sorted(
        name for name in before.keys() | after.keys() if name not in before or name not in after or gap(before[name], after[name]) > 0.0
    )

"""How large is the gradient of the last answers to each step, whether steps are numbers or codes?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from statewise.auditing._embedding import watching_embeddings
from statewise.auditing._subject import NoBackward, weighed

if TYPE_CHECKING:
    from statewise.auditing._probe import Probe
    from statewise.auditing._subject import Subject


def gradient_by_step(subject: Subject, probe: Probe) -> Tensor | None:
    """Return the size of the gradient of the last answers to each step, `[time]`; None where no gradient reaches the input at all.

    Of codes it is the gradient to what the embedding made of them, where there is one.
    """
    made: list[Tensor] = []

    def seen(_codes: Tensor, _padding: int | None, looked_up: Tensor) -> Tensor:
        made.append(looked_up.detach().requires_grad_())
        return made[-1]

    module = subject.fresh()
    if probe.x.is_floating_point():
        given = probe.x.to(subject.dtype).clone().requires_grad_()
        outputs = subject.ask(probe.with_x(given), module, gradient=True).outputs
    else:
        with watching_embeddings(seen):
            outputs = subject.ask(probe, module, gradient=True).outputs
        if len(made) == probe.time and len(made) > 1:  # a lookup a step
            return _of_lookups(subject, outputs, made)
        if len(made) != 1:  # what a step is made of is not seen, or only a part of it
            return None
        given = made[0]
    gradient = _gradients(subject, outputs, [given])[0]
    if gradient is None:
        return None
    time = next((axis for axis in (1, 0) if gradient.shape[axis] == probe.time), None)
    if time is None:
        return None
    sizes: Tensor = gradient.transpose(0, time).flatten(1).norm(dim=1)
    return sizes.detach()


def _of_lookups(subject: Subject, outputs: Tensor, made: list[Tensor]) -> Tensor | None:
    """Return the size of the gradient to what was looked up at each step."""
    gradients = _gradients(subject, outputs, made)
    if all(each is None for each in gradients):
        return None
    return torch.stack([outputs.new_zeros(()) if each is None else each.norm().detach() for each in gradients])


def _gradients(subject: Subject, outputs: Tensor, given: list[Tensor]) -> list[Tensor | None]:
    """Return the gradients of the last answers; None where there is none."""
    last = outputs[:, -1] if subject.contract.each == "step" else outputs
    if not last.requires_grad:
        return [None] * len(given)
    try:
        return list(torch.autograd.grad(weighed(last), given, allow_unused=True))
    except RuntimeError as problem:
        raise NoBackward(problem) from problem

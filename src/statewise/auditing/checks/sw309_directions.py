"""SW309 and SW507: does everything that is trained reach an output?"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from statewise.auditing._check import Found, check
from statewise.auditing._cures import with_weights_shuffled
from statewise.auditing._findings import bad
from statewise.auditing._subject import Failed, NoBackward, weighed
from statewise.state import leaves

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject

_REPEATS = 4
"""How many times the probe is laid end to end."""
_SHUFFLES = 6
_LAYER = re.compile(r"_l\d+(_reverse)?$")
"""The end of the name of a weight in a stack of recurrent layers."""


@check("SW309", "direction-not-read", needs=("repeatable", "layers", "values"), after=("SW505", "SW501"))
def direction_not_read(subject: Subject) -> Found:
    """What is read out of a recurrent layer has seen the whole sequence, in both directions where there are two.

    How:
        The recurrent weights of each direction get a gradient from the outputs. One whose recurrent weights get none has seen a single step
        (output[:, -1] takes the backward half after one step), or is not read at all (h_n[-1] is the backward direction alone). That must
        hold with the numbers of each weight in other orders too: a few units may all be dead.
    Why:
        Half of the layer is of no use; early or late steps are seen by one direction only.
    Mend:
        Take the forward half at each sequence's last step and the backward half at its first: torch.cat([h_n[-2], h_n[-1]], dim=1).
    Seen in:
        yunjey/pytorch-tutorial#174, prabhuomkar/pytorch-cpp#13, pytorch/pytorch#74291
    """
    module, gradients = subject.once("gradients", lambda: _gradients(subject))
    silent, named = [], dict(module.named_parameters())
    for name, part in module.named_modules():
        if not isinstance(part, nn.RNNBase):
            continue
        prefix, top = f"{name}." if name else "", part.num_layers - 1
        for suffix in ("", "_reverse") if part.bidirectional else ("",):
            weight = named.get(f"{prefix}weight_hh_l{top}{suffix}")
            if weight is None or not weight.requires_grad:  # made anew from others in each call, as weight_norm does, or frozen
                continue
            recurrent, read = (gradients.get(f"{prefix}weight_{kind}_l{top}{suffix}", 0.0) for kind in ("hh", "ih"))
            other = gradients.get(f"{prefix}weight_hh_l{top}{'' if suffix else '_reverse'}", 0.0)
            if recurrent == 0.0 and (read > 0.0 or other > 0.0):
                silent.append(f"{prefix}weight_hh_l{top}{suffix}")
    silent = _in_all_orders(subject, silent)
    if silent:
        return bad(subject, f"no gradient reaches {', '.join(silent)}: nothing is read there, or what has seen one step", where=silent[0])
    return Found(status="pass", evidence="the recurrent weights of every direction get a gradient")


@check("SW507", "weights-without-use", needs=("repeatable", "values"), after=("SW309", "SW505", "SW110"))
def weights_without_use(subject: Subject) -> Found:
    """Every weight that is trained has a part in some output.

    How:
        The gradient of all outputs, and of the state, to each trainable parameter, in eval and in training mode, and over long
        sequences. A layer is without use where none of its weights gets any, with their numbers in other orders too.
    Why:
        A layer was built and is not used, or what it says is overwritten; the model is smaller than it seems.
    Mend:
        Call the layer, or take it out.
    """
    module, gradients = subject.once("gradients", lambda: _gradients(subject))
    names = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
    flat = _in_all_orders(subject, [name for name in _without_gradient(module, gradients) if name in gradients])
    unused = [name for name in names if name not in gradients or name in flat]
    if not names:
        return Found(status="not_applicable", evidence="the module has no trainable parameter")
    if len(unused) == len(names):
        return Found(status="not_applicable", evidence="no parameter gets a gradient")
    if unused:
        return Found(status="warn", evidence=f"no gradient reaches {', '.join(unused[:6])}", where=unused[0], value=float(len(unused)))
    return Found(status="pass", evidence=f"each of {len(names)} trainable parameters is part of an output")


def _in_all_orders(subject: Subject, names: list[str]) -> list[str]:
    """Return those weights that get no gradient with the numbers of each weight in other orders and under other signs either."""
    for shuffled in with_weights_shuffled(subject, _SHUFFLES if names else 0):
        gradients = _gradients(shuffled)[1]
        names = [name for name in names if gradients.get(name, 0.0) == 0.0]
    return names


def _without_gradient(module: nn.Module, gradients: dict[str, float]) -> set[str]:
    """Return the names of weights of layers of which no weight gets a gradient; those of one layer of a recurrent stack belong together."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            owner, _, own = name.rpartition(".")
            layer = _LAYER.search(own)
            groups[f"{owner} {layer[0] if layer else ''}"].append(name)
    return {name for names in groups.values() if not any(gradients.get(each, 0.0) for each in names) for name in names}


def _gradients(subject: Subject) -> tuple[nn.Module, dict[str, float]]:
    """Return a copy, and the largest gradient of each of its parameters that is part of an output, in eval or in training mode."""
    module = subject.fresh()
    found: dict[str, float] = {}
    long = subject.whole.end_to_end(_REPEATS)
    # Some layers read every few steps alone, and have nothing to remember in a short sequence.
    for training, probe in ((False, subject.probe), (True, subject.probe), (False, long)):
        copy = subject.fresh().train(training)
        try:
            answer = subject.ask(probe, copy, gradient=True)
        except Failed:
            if probe is long:  # a module may read so many steps and no more
                continue
            raise
        total: Tensor = weighed(subject.real(answer, probe))
        for _, leaf in leaves(answer.state):
            if leaf.is_floating_point() and leaf.requires_grad and subject.lacks("state_in") is None:
                total = total + weighed(leaf)
        named = [(name, parameter) for name, parameter in copy.named_parameters() if parameter.requires_grad]
        if not named or not total.requires_grad:
            continue
        try:
            gradients = torch.autograd.grad(total, [parameter for _, parameter in named], allow_unused=True)
        except RuntimeError as problem:
            raise NoBackward(problem) from problem
        for (name, _), gradient in zip(named, gradients, strict=True):
            if isinstance(gradient, Tensor):
                found[name] = max(found.get(name, 0.0), float(gradient.abs().max()))
    return module, found

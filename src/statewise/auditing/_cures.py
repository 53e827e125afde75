"""How is a defect mended from outside, on the probe, so that what is left shows which findings were its consequences?

Each takes a subject and returns the same one asked in another way, or None where it cannot be. What a module does to other rows is
mended by asking about each row among copies of itself; what it does with padding, by asking without any; and so on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import torch

from statewise.auditing._randomness import without_dropout, without_randomness
from statewise.auditing._subject import Answer, Subject
from statewise.state import join, map_tensors, select

if TYPE_CHECKING:
    from torch import Tensor, nn

    from statewise.auditing._probe import Probe
    from statewise.auditing._subject import Way

Cure: TypeAlias = Callable[[Subject], Subject | None]
Ask: TypeAlias = "Callable[[nn.Module, Probe], Answer]"


def rows_apart(subject: Subject) -> Subject | None:
    """Ask about each row in a batch of copies of itself: no other row can reach it."""
    return None if subject.contract.stateful else _through(subject, lambda *given: _row_by_row(subject, *given, trim=False))


def without_padding(subject: Subject) -> Subject | None:
    """Ask about each row in a batch of copies of itself, cut to its own steps: there is no padding."""
    return None if subject.contract.stateful else _through(subject, lambda *given: _row_by_row(subject, *given, trim=True))


def axes_exchanged(subject: Subject) -> Subject | None:
    """Give time where the contract says batch, and batch where it says time."""
    contract = subject.contract
    if subject.door.call is not None or contract.batch_first is None or contract.each == "sequence":
        return None  # of what is read out at the end of the wrong axis nothing is left
    turned = msgspec.structs.replace(contract, batch_first=not contract.batch_first)
    return replace(subject, contract=turned, door=replace(subject.door, contract=turned))


def mask_turned(subject: Subject) -> Subject | None:
    """Give the opposite of the mask."""
    if subject.door.call is not None or "mask" not in (subject.contract.takes or ()):
        return None
    turned = msgspec.structs.replace(subject.contract, mask="padding" if (subject.contract.mask or "valid") == "valid" else "valid")
    return replace(subject, contract=turned, door=replace(subject.door, contract=turned))


def outputs_turned(subject: Subject) -> Subject:
    """Exchange the first two axes of what comes back."""
    return replace(subject, turned=not subject.turned)


def state_copied(subject: Subject) -> Subject | None:
    """Give a copy of each state, and take a copy of what comes back."""

    def way(ask: Ask, module: nn.Module, probe: Probe) -> Answer:
        answer = ask(module, replace(probe, state=map_tensors(torch.clone, probe.state)))
        return replace(answer, state=map_tensors(torch.clone, answer.state))

    return _through(subject, way)


def begun_anew(subject: Subject) -> Subject | None:
    """Ask a fresh copy each time: no call knows of the one before."""
    return None if subject.contract.stateful else _through(subject, lambda ask, _, probe: ask(subject.fresh(), probe))


def mode_restored(subject: Subject) -> Subject | None:
    """Bring every part back into its mode after each call."""

    def way(ask: Ask, module: nn.Module, probe: Probe) -> Answer:
        modes = [(part, part.training) for part in module.modules()]
        try:
            return ask(module, probe)
        finally:
            for part, training in modes:
                part.training = training

    return _through(subject, way)


def weights_restored(subject: Subject) -> Subject | None:
    """Bring every weight and buffer back after each call."""

    def way(ask: Ask, module: nn.Module, probe: Probe) -> Answer:
        kept = {name: value.detach().clone() for name, value in module.state_dict().items()}
        answer = ask(module, probe)
        module.load_state_dict(kept)
        return answer

    return _through(subject, way)


def dropout_off(subject: Subject) -> Subject | None:
    """Take every dropout out."""

    def way(ask: Ask, module: nn.Module, probe: Probe) -> Answer:
        with without_dropout():
            return ask(module, probe)

    return _through(subject, way)


def randomness_off(subject: Subject) -> Subject | None:
    """Give zeros for every random tensor that is made during a call."""

    def way(ask: Ask, module: nn.Module, probe: Probe) -> Answer:
        with without_randomness():
            return ask(module, probe)

    return _through(subject, way)


def never_one(subject: Subject) -> Subject | None:
    """Ask about two copies of a row where it is asked about alone."""

    def way(ask: Ask, module: nn.Module, probe: Probe) -> Answer:
        if probe.num_rows != 1 or probe.state is not None:
            return ask(module, probe)
        answer = ask(module, probe.rows([0, 0]))
        state = None if answer.state is None else select(answer.state, [0], subject.axes)
        return replace(answer, outputs=answer.outputs[:1], state=state)

    return None if subject.contract.stateful else _through(subject, way)


def with_weights_shuffled(subject: Subject, count: int) -> list[Subject]:
    """Return the subject with the numbers of each weight in so many other orders and under other signs: what holds in all is no luck."""

    def way(number: int, ask: Ask, module: nn.Module, probe: Probe) -> Answer:
        source = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for weight in module.parameters():
                signs = torch.randint(0, 2, (weight.numel(),), generator=source) * 2 - 1
                weight.copy_((weight.flatten()[torch.randperm(weight.numel(), generator=source)] * signs).view(weight.shape))
        return ask(module, probe)

    return [_through(subject, partial(way, number)) for number in range(count)]


def _row_by_row(subject: Subject, ask: Ask, module: nn.Module, probe: Probe, *, trim: bool) -> Answer:
    answers = []
    for row in range(probe.num_rows):
        own = probe.alone(row) if trim else probe.rows([row])
        copies = own if probe.num_rows == 1 else own.rows([0] * probe.num_rows)  # a batch of one is another question: SW203
        if probe.state is not None:
            copies = replace(copies, state=select(probe.state, [row] * copies.num_rows, subject.axes))
        answer = ask(module, copies)
        state = answer.state if answer.state is None or copies.num_rows == 1 else select(answer.state, [0], subject.axes)
        outputs = answer.outputs[:1]
        if trim and subject.contract.each == "step":
            outputs = _padded(outputs, probe)
        answers.append(replace(answer, outputs=outputs, state=state))
    states = [each.state for each in answers]
    joined = torch.cat([each.outputs for each in answers])
    return Answer(
        outputs=joined,
        state=None if states[0] is None else join(states, subject.axes) if len(states) > 1 else states[0],
        shape=tuple(joined.shape) if trim else answers[0].shape,
    )


def _padded(outputs: Tensor, probe: Probe) -> Tensor:
    """Return the outputs of one row with places for the padding that it was asked without."""
    missing = probe.time - outputs.shape[1]
    return torch.nn.functional.pad(outputs, (0, 0, 0, missing) if probe.side == "right" else (0, 0, missing, 0))


def _through(subject: Subject, way: Way) -> Subject:
    """Return the subject asked in this way, and inside it as it was asked before."""
    inner = subject.way
    if inner is None:
        return replace(subject, way=way)

    def both(ask: Ask, module: nn.Module, probe: Probe) -> Answer:
        return way(partial(inner, ask), module, probe)

    return replace(subject, way=both)

"""What is a module asked, and how? The contract is filled in, and probes are cut from real steps."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch import Tensor, nn

from statewise.auditing._copies import Original, own_numbers
from statewise.auditing._infer import infer
from statewise.auditing._known import known_door
from statewise.auditing._material import material_of
from statewise.auditing._probe import Probe
from statewise.auditing._rows import influence_of
from statewise.auditing._subject import Failed, Subject, gap, size_of
from statewise.contracts import Contract, Door, watched
from statewise.errors import ContractError, StatewiseError
from statewise.state import leaves

if TYPE_CHECKING:
    from statewise.auditing._material import Material
    from statewise.contracts import Call
    from statewise.sequences import Sequences
    from statewise.types import Each


@dataclass(frozen=True)
class Shape:
    """The sizes of a probe.

    Attributes:
        lengths: unequal, in no order, at least 2 each.
        time: steps, padding included.
    """

    lengths: tuple[int, ...]
    time: int

    @property
    def rows(self) -> int:
        """Number of sequences."""
        return len(self.lengths)


SHAPES = (Shape((3, 6, 2, 4), 6), Shape((7, 2, 5, 3, 6), 7), Shape((2, 4, 5), 5))
"""Of the probes that are asked one after another; with `fast` the first alone. Short, since the effects of a wrong state fade."""


def subjects_of(
    module: nn.Module,
    data: Sequences | None = None,
    *,
    example: Any = None,
    contract: Contract | None = None,
    call: Call | None = None,
    seed: int = 0,
    fast: bool = False,
) -> list[Subject]:
    """Return the module ready to be asked, once for each shape of probe.

    Raises:
        ContractError: it is not known how the module is called, or what it reads.
        DataError: the data hold nothing that can be asked.
    """
    declared = contract or Contract()
    original = Original(module)
    material = material_of(module, data, example, batch_first=declared.batch_first, seed=seed)
    make = partial(_subject, original, material, type(module).__name__, seed)
    known = known_door(module, declared, call, material.names)
    if known is not None:
        first = _settled(_seen(make(known, SHAPES[0]), SHAPES[0], make))
        first.sure = _sureness(declared, known.contract, first.contract, {})
    else:
        found = infer(module, declared, lambda door: _merit(_settled(make(door, SHAPES[0]))))
        contract = found.contract if _can_reset(original, found.contract, declared) else msgspec.structs.replace(found.contract, reset=None)
        first = _settled(make(Door(contract=contract), SHAPES[0]))
        first.sure = _sureness(declared, contract, first.contract, found.sure)
    others = [replace(make(first.door, shape), sure=first.sure) for shape in SHAPES[1:]]
    return [first] if fast else [first, *others]


def _subject(  # noqa: PLR0917  # one call, whose arguments are told apart by their types
    original: Original, material: Material, name: str, seed: int, door: Door, shape: Shape
) -> Subject:
    """Return the module behind one way of calling it, with probes of one shape."""
    rows, time = shape.rows, shape.time
    values, static = material.windows(rows, time, seed), material.statics(rows, seed)
    lengths = torch.tensor(shape.lengths if door.sees_lengths else (time,) * rows)
    plain, other = (
        Probe(
            x=values[begin : begin + rows],
            lengths=torch.full((rows,), time),
            side=door.contract.padding or "right",
            static=None if static is None else static[begin : begin + rows],
            layout=material.layout,
        )
        for begin in (0, rows)
    )
    return Subject(
        name=name,
        original=original,
        contract=door.contract,
        door=door,
        probe=_blank(plain, lengths),
        donor=_blank(other, lengths),
        whole=plain,
        other_whole=other,
        filling=values[2 * rows :],
        codes=material.codes,
        seed=seed,
        says=material.says,
    )


def _seen(subject: Subject, shape: Shape, make: Any) -> Subject:
    """Return the subject behind a user's line of which is known what of a batch it reads."""
    if subject.door.call is None:
        return subject
    batch = watched(subject.probe.batch(subject.dtype))
    with own_numbers(subject.seed, subject.dtype), torch.no_grad(), suppress(Exception):  # every check tells of a module that fails
        subject.door.ask(subject.fresh(), batch)
    again: Subject = make(replace(subject.door, reads=frozenset(batch.read)), shape)
    return again


def _can_reset(original: Original, found: Contract, declared: Contract) -> bool:
    """Whether the reset of a usual name works on a module that was not called yet; one that is declared is never doubted."""
    if found.reset is None or declared.reset is not None:
        return True
    try:
        Door(contract=found).reset(original.fresh())
    except Exception:  # noqa: BLE001  # whatever a stranger's reset raises
        return False
    return True


def _merit(subject: Subject) -> float:
    """Return how much speaks for a way of calling: it succeeds, rows stay apart, padding is harmless and real steps are not."""
    try:
        before = subject.real(subject.ask(subject.probe), subject.probe)
        harm = gap(subject.real(subject.ask(subject.probe.padded_with(subject.filling)), subject.probe), before)
        effect = gap(subject.real(subject.ask(subject.donor), subject.donor), before)
        found = influence_of(subject)
        apart = found.is_alive and not bool(found.is_effect(found.effects.clone().fill_diagonal_(0.0)).any())
    except (Failed, StatewiseError):
        return -1.0
    size = size_of(before)
    return 2.0 * apart + 1.0 * (not subject.is_real(harm, effect, size)) + 1.0 * subject.is_real(effect, 0.0, size)


def _sureness(declared: Contract, known: Contract, filled: Contract, found: dict[str, str]) -> dict[str, str]:
    """Return, for each field that is filled in, whether it was declared, read off the module, tried, or guessed."""

    def how(name: str) -> str:
        if getattr(declared, name) is not None:
            return "declared"
        return "tried" if getattr(known, name) is None else found.get(name, "read")

    return {name: how(name) for name in filled.__struct_fields__ if getattr(filled, name) is not None}


def _settled(subject: Subject) -> Subject:
    """Return the subject with the fields of the contract that a first call tells: `each` and `returns_state`."""
    contract = subject.contract
    if contract.each is not None and contract.returns_state is not None:
        return subject
    each, has_state = _first_answers(subject)
    filled = msgspec.structs.replace(
        contract,
        each=contract.each or each,
        returns_state=contract.returns_state if contract.returns_state is not None else has_state,
    )
    # Anew, since what was asked while `each` was not known may have seemed to fail.
    return replace(subject, contract=filled, door=replace(subject.door, contract=filled))


def _first_answers(subject: Subject) -> tuple[Each, bool]:
    """Return whether outputs follow the number of steps, and whether a state comes with them; every check tells of a module that fails.

    A second result whose tensors follow the number of steps, such as weights of an attention, or have no axes, such as a loss, is no state.

    Raises:
        ContractError: outputs have fewer steps than inputs, so that it is not known which output is about which step.
    """
    outputs, states = [], []
    for time in (subject.whole.time, subject.whole.time - 1, 2):
        try:
            with own_numbers(subject.seed, subject.dtype), torch.no_grad():
                output, state = subject.door.ask(subject.fresh(), subject.whole.steps(0, time).batch(subject.dtype))
        except Exception:  # noqa: BLE001  # whatever a stranger's forward raises
            break
        outputs.append((time, tuple(output.shape) if isinstance(output, Tensor) else None))
        states.append([tuple(leaf.shape) for _, leaf in leaves(state)] if state is not None else [])
    is_state = bool(states) and any(states[0]) and (subject.door.takes_state or all(each == states[0] for each in states))
    if not outputs or outputs[0][1] is None:
        return "step", is_state
    shapes = [(time, shape) for time, shape in outputs if shape is not None]
    follows = [axis for axis in range(min(2, len(shapes[0][1]))) if all(shape[axis] == time for time, shape in shapes)]
    if len(shapes) > 1 and follows:
        return "step", is_state
    if subject.contract.each is None and len(shapes[0][1]) > 2 and len({shape for _, shape in shapes}) > 1:
        raise ContractError(
            asked=f"audit {subject.name}",
            where="the outputs",
            arrived=" and ".join(f"shape {shape} for sequences of {time} steps" for time, shape in (shapes[0], shapes[-1])),
            hint="Give call=lambda module, batch: ... that returns one output a sequence, or one a step of the inputs.",
        )
    return "sequence", is_state


def _blank(probe: Probe, lengths: Tensor) -> Probe:
    """Return the same rows at these lengths, padded with zeros."""
    return replace(probe, lengths=lengths).padded_with(torch.zeros_like(probe.x))

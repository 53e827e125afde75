"""What is a module asked, and how? The probes are cut from data, or drawn where there is none; the contract is filled in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch import Tensor, nn

from statewise.auditing._copies import Original, own_numbers
from statewise.auditing._infer import infer
from statewise.auditing._probe import Probe
from statewise.auditing._rows import influence_of
from statewise.auditing._subject import Failed, Subject, gap, size_of
from statewise.contracts import Contract, Door
from statewise.engine import is_recurrent
from statewise.errors import ContractError, StatewiseError

if TYPE_CHECKING:
    from statewise.contracts import Call
    from statewise.sequences import Sequences
    from statewise.types import Each, State

ROWS, TIME = 4, 6
LENGTHS = (3, 6, 2, 4)
"""Of the probe: unequal, and in no order."""


def subject_of(module: nn.Module, data: Sequences | None, *, contract: Contract | None, call: Call | None, seed: int) -> Subject:
    """Return the module ready to be asked.

    Raises:
        ContractError: it is not known how the module is called, or what it reads.
    """
    name = type(module).__name__
    original, values, codes = Original(module), _values(module, data, name, seed), _codes(module, data)

    def behind(door: Door) -> Subject:
        """Return the module behind one way of calling it."""
        lengths = torch.tensor(LENGTHS if door.sees_lengths else (TIME,) * ROWS)
        side = door.contract.padding or "right"
        plain = Probe(x=values[:ROWS], lengths=torch.full((ROWS,), TIME), side=side)
        other = Probe(x=values[ROWS : 2 * ROWS], lengths=torch.full((ROWS,), TIME), side=side)
        subject = Subject(
            name=name, original=original, contract=door.contract, door=door, probe=_blank(plain, lengths), donor=_blank(other, lengths),
            whole=plain, other_whole=other, filling=values[2 * ROWS :], codes=codes, seed=seed,
        )  # fmt: skip
        return _settled(subject)

    declared = contract or Contract()
    known = _known(module, declared, call)
    if known is not None:
        return behind(Door(contract=known, call=call))
    found = infer(module, declared, lambda door: _merit(behind(door)))
    subject = behind(Door(contract=found.contract))
    subject.sure = {**found.sure, **{name: "tried" for name in ("each", "returns_state") if getattr(declared, name) is None}}
    return subject


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


def _known(module: nn.Module, contract: Contract, call: Call | None) -> Contract | None:
    """Return the contract of what needs no guess: a user's line, torch's own layers, modules that carry their state; else None."""
    if call is not None:
        return contract
    if contract.takes is None and isinstance(module, nn.RNNBase):
        known = Contract(
            takes=("x", "state"), batch_first=module.batch_first, returns_state=True, each="step", causal=not module.bidirectional
        )
        return _over(known, contract)
    if contract.takes is None and is_recurrent(module):
        first = bool(getattr(module, "batch_first", False))
        begin = partial(_begun, module)
        return _over(Contract(takes=("x", "state"), batch_first=first, initial_state=begin, returns_state=True, each="step"), contract)
    return None


def _begun(module: Any, rows: int) -> State:
    """Return the state in which a `Recurrent` begins, in torch's default dtype, which is that of the audit."""
    return module.initial_state(rows, device=torch.device("cpu"), dtype=torch.get_default_dtype())


def _over(known: Contract, declared: Contract) -> Contract:
    """Return what is known, except where something else was declared."""
    said = {name: value for name in declared.__struct_fields__ if (value := getattr(declared, name)) is not None}
    return msgspec.structs.replace(known, **said)


def _settled(subject: Subject) -> Subject:
    """Return the subject with the fields of the contract that a first call tells: `each` and `returns_state`."""
    contract = subject.contract
    if contract.each is not None and contract.returns_state is not None:
        return subject
    each, state = _first_answers(subject)
    filled = msgspec.structs.replace(
        contract,
        each=contract.each or each,
        returns_state=contract.returns_state if contract.returns_state is not None else state is not None,
    )
    subject.contract, subject.door = filled, Door(contract=filled, call=subject.door.call)
    return subject


def _first_answers(subject: Subject) -> tuple[Each, State]:
    """Return whether outputs follow the number of steps, and the state of a first call; a module that fails is told by every check."""
    shapes, state = [], None
    for probe in (subject.whole, subject.whole.steps(0, TIME - 1)):
        try:
            with own_numbers(subject.seed, subject.dtype), torch.no_grad():
                output, state = subject.door.ask(subject.fresh(), probe.batch(subject.dtype))
        except Exception:  # noqa: BLE001  # whatever a stranger's forward raises
            return "step", None
        if not isinstance(output, Tensor):
            return "step", state
        shapes.append(tuple(output.shape))
    follows = any(one == TIME and other == TIME - 1 for one, other in zip(*shapes, strict=False))
    return ("step" if follows else "sequence"), state


def _blank(probe: Probe, lengths: Tensor) -> Probe:
    """Return the same rows at these lengths, padded with zeros."""
    return Probe(x=probe.x, lengths=lengths, side=probe.side).padded_with(torch.zeros_like(probe.x))


def _values(module: nn.Module, data: Sequences | None, name: str, seed: int) -> Tensor:
    """Return `[3 * rows, time, *rest]` of real values: steps of the data that follow each other, or drawn ones."""
    count = 3 * ROWS
    source = torch.Generator().manual_seed(seed)
    if data is not None:
        if set(data.parts) != {"x"}:
            raise _refused(name, "inputs", f"several of them ({', '.join(data.parts)})", "Give data with one input.")
        values = data.parts["x"].values
        repeats = -(-(TIME + 1) // max(len(values), 1))
        steps = torch.cat([values] * max(repeats, 1))
        begins = torch.randint(len(steps) - TIME + 1, (count,), generator=source)
        cut = torch.stack([steps[begin : begin + TIME] for begin in begins.tolist()])
        return cut if cut.is_floating_point() else _apart(cut, values)
    size, is_code = _size(module, name)
    if is_code:
        drawn = torch.randint(1, max(size, 2), (count, TIME), generator=source)
        return _apart(drawn, torch.arange(1, max(size, 2)))
    with own_numbers(seed):
        return torch.randn(count, TIME, size)


def _apart(codes: Tensor, known: Tensor) -> Tensor:
    """Return codes of which no two rows that are exchanged for each other have the same one at a step."""
    there = known.unique()
    if len(there) < 3:
        return codes
    for part in (1, 2):
        rows = slice(part * ROWS, (part + 1) * ROWS)
        for before in range(part):
            taken = codes[before * ROWS : (before + 1) * ROWS]
            while bool((codes[rows] == taken).any()):
                place = torch.searchsorted(there, codes[rows])
                moved = there[(place + 1) % len(there)]
                same = (codes[rows] == codes[:ROWS]) | (codes[rows] == codes[(part - 1) * ROWS : part * ROWS])
                codes[rows] = torch.where(same, moved, codes[rows])
    return codes


def _codes(module: nn.Module, data: Sequences | None) -> Tensor:
    """Return every code that a real step may have: those of the data, else all but 0, which stands for padding."""
    if data is not None:
        values = data.parts["x"].values
        return values.new_zeros(0, dtype=torch.int64) if values.is_floating_point() else values.unique()
    tables = [part for part in module.modules() if isinstance(part, nn.Embedding)]
    return torch.arange(1, tables[0].num_embeddings) if tables else torch.zeros(0, dtype=torch.int64)


def _size(module: nn.Module, name: str) -> tuple[int, bool]:
    """Return the number of features that the first layer reads, or of codes, and whether it is the latter."""
    for part in module.modules():
        if isinstance(part, nn.RNNBase | nn.RNNCellBase):
            return int(part.input_size), False
        if isinstance(part, nn.Embedding):
            return int(part.num_embeddings), True
        if isinstance(part, nn.Linear):
            return int(part.in_features), False
        if isinstance(part, nn.Conv1d):
            return int(part.in_channels), False
        found: Any = getattr(part, "input_size", None)
        if isinstance(found, int):
            return found, False
    raise _refused(name, "data", "none, and no layer that tells what a step is", "Give data=..., a few sequences that the module can read.")


def _refused(name: str, where: str, arrived: str, hint: str) -> ContractError:
    """Return the error of a module that cannot be audited at all."""
    return ContractError(asked=f"audit {name}", where=where, arrived=arrived, hint=hint)

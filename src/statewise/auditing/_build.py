"""What is a module asked, and how? The probes are cut from data, or drawn where there is none; the contract is filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch import Tensor, nn

from statewise.auditing._copies import Original, own_numbers
from statewise.auditing._probe import Probe
from statewise.auditing._subject import Subject, refused
from statewise.contracts import Contract, Door, read_signature
from statewise.engine import Recurrent

if TYPE_CHECKING:
    from statewise.contracts import Call
    from statewise.sequences import Sequences

ROWS, TIME = 4, 6
LENGTHS = (3, 6, 2, 4)
"""Of the probe: unequal, and in no order."""


def subject_of(module: nn.Module, data: Sequences | None, *, contract: Contract | None, call: Call | None, seed: int) -> Subject:
    """Return the module ready to be asked.

    Raises:
        ContractError: it is not known how the module is called, or what it reads.
    """
    name = type(module).__name__
    original = Original(module)
    filled = _filled(module, contract or Contract(), call)
    door = Door(contract=filled, call=call)
    values = _values(module, data, name, seed)
    lengths = torch.tensor(LENGTHS if door.sees_lengths else (TIME,) * ROWS)
    side = filled.padding or "right"
    plain = Probe(x=values[:ROWS], lengths=torch.full((ROWS,), TIME), side=side)
    other = Probe(x=values[ROWS : 2 * ROWS], lengths=torch.full((ROWS,), TIME), side=side)
    subject = Subject(
        name=name, original=original, contract=filled, door=door, probe=_blank(plain, lengths), donor=_blank(other, lengths),
        whole=plain, other_whole=other, filling=values[2 * ROWS :], codes=_codes(module, data), seed=seed,
    )  # fmt: skip
    return _settled(subject)


def _filled(module: nn.Module, contract: Contract, call: Call | None) -> Contract:
    """Return the contract with what a call needs; torch's own layers and modules that carry their state are known."""
    if call is not None:
        return contract
    if contract.takes is None and isinstance(module, nn.RNNBase):
        known = Contract(
            takes=("x", "state"), batch_first=module.batch_first, returns_state=True, each="step", causal=not module.bidirectional
        )
        return _over(known, contract)
    if contract.takes is None and isinstance(module, Recurrent):
        first = bool(getattr(module, "batch_first", False))
        begin = lambda rows: module.initial_state(rows, device=torch.device("cpu"), dtype=torch.get_default_dtype())  # noqa: E731
        return _over(Contract(takes=("x", "state"), batch_first=first, initial_state=begin, returns_state=True, each="step"), contract)
    return read_signature(module, contract)


def _over(known: Contract, declared: Contract) -> Contract:
    """Return what is known, except where something else was declared."""
    said = {name: value for name in declared.__struct_fields__ if (value := getattr(declared, name)) is not None}
    return msgspec.structs.replace(known, **said)


def _settled(subject: Subject) -> Subject:
    """Return the subject with the fields of the contract that a first call tells: `each` and `returns_state`."""
    contract = subject.contract
    if contract.each is not None and contract.returns_state is not None:
        return subject
    try:
        output, state = subject.door.ask(subject.fresh(), subject.probe.batch(subject.dtype))
    except Exception:  # noqa: BLE001  # a module that fails is told by every check that asks it
        output, state = torch.zeros((1,) * (2 if contract.each == "sequence" else 3)), None
    ndim = output.ndim if isinstance(output, Tensor) else 3
    filled = msgspec.structs.replace(
        contract,
        each=contract.each or ("step" if ndim == 3 else "sequence"),
        returns_state=contract.returns_state if contract.returns_state is not None else state is not None,
    )
    subject.contract, subject.door = filled, Door(contract=filled, call=subject.door.call)
    return subject


def _blank(probe: Probe, lengths: Tensor) -> Probe:
    """Return the same rows at these lengths, padded with zeros."""
    made = Probe(x=probe.x, lengths=lengths, side=probe.side)
    valid = made.valid.view(*made.valid.shape, *([1] * (probe.x.ndim - 2)))
    return Probe(x=torch.where(valid, probe.x, torch.zeros_like(probe.x)), lengths=lengths, side=probe.side)


def _values(module: nn.Module, data: Sequences | None, name: str, seed: int) -> Tensor:
    """Return `[3 * rows, time, *rest]` of real values: steps of the data that follow each other, or drawn ones."""
    count = 3 * ROWS
    source = torch.Generator().manual_seed(seed)
    if data is not None:
        if set(data.parts) != {"x"}:
            raise refused(name, "inputs", f"several of them ({', '.join(data.parts)})", "Give data with one input.")
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
    raise refused(name, "data", "none, and no layer that tells what a step is", "Give data=..., a few sequences that the module can read.")

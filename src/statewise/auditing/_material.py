"""What are probes made of? Real steps: windows of the user's data, of an example, or values drawn to fit the module.

Probes exchange steps for other ones, and an exchange for an equal step would show nothing: so no step equals the one that takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from statewise.auditing._copies import own_numbers
from statewise.auditing._layout import Layout
from statewise.errors import ContractError, DataError, OptionError, kind_of
from statewise.models import Model
from statewise.sequences import Ragged, Sequences

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUPS = 3
"""The probe, those that take its place, and what padding is filled with."""
_MOST_STEPS = 20_000
"""Steps of the data among which windows are looked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """Real steps.

    Attributes:
        values: every step there is: `[steps, *rest]`; of several inputs `[steps, columns]`, as `layout` says.
        layout: of several inputs; None for one.
        codes: every code that a real step may have; none where steps are numbers.
        static: `[sequences, static]`, or None.
        names: the labels behind the codes of categorical inputs, by input.
        says: where they come from.
    """

    values: Tensor
    layout: Layout | None = None
    codes: Tensor
    static: Tensor | None = None
    names: Mapping[str, tuple[str, ...]]
    says: str

    def windows(self, rows: int, time: int, seed: int) -> Tensor:
        """Return `[groups * rows, time, *rest]`: pieces of the data, in which no step equals the one at its place in another group."""
        source = torch.Generator().manual_seed(seed)
        begin = int(torch.randint(max(1, len(self.values) - _MOST_STEPS + 1), (), generator=source))
        pool = self.values[begin : begin + _MOST_STEPS]
        flat = pool.flatten(1) if pool.ndim > 1 else pool
        there, place = flat.unique(dim=0, return_inverse=True) if pool.ndim > 1 else flat.unique(return_inverse=True)
        place = place.repeat(-(-time // len(place)))
        begins = torch.randint(len(place) - time + 1, (GROUPS * rows,), generator=source)
        codes = _apart(torch.stack([place[each : each + time] for each in begins.tolist()]), len(there), rows)
        cut: Tensor = there[codes].reshape(GROUPS * rows, time, *pool.shape[1:])
        return cut

    def statics(self, rows: int, seed: int) -> Tensor | None:
        """Return `[groups * rows, static]`, drawn from those of the data."""
        if self.static is None:
            return None
        chosen = torch.randint(len(self.static), (GROUPS * rows,), generator=torch.Generator().manual_seed(seed))
        return self.static[chosen]


def material_of(module: nn.Module, data: Sequences | None, example: Any, *, batch_first: bool | None, seed: int) -> Material:
    """Return what probes of a module are made of.

    Raises:
        ContractError: there are neither data nor an example, and nothing in the module tells what a step is.
        DataError: the data hold no step that is a number.
        OptionError: there are both.
    """
    name = type(module).__name__
    if data is not None and example is not None:
        raise OptionError(
            asked=f"audit {name}", where="example", arrived="an example beside data", hint="Give one of them: both say what a step is."
        )
    if data is not None:
        return _of_data(module, data, f"{len(data):,} sequences of {data.source}", seed)
    if example is not None:
        return _of_data(module, _as_sequences(example, name, batch_first=batch_first is not False), "the example", seed)
    if isinstance(module, Model):
        return _of_model(module, seed)
    size, is_code = _size(module, name)
    if is_code:
        codes = torch.arange(1, max(size, 2))
        return Material(
            values=_shuffled(codes, seed), codes=codes, names={}, says=f"codes drawn from 1 to {size - 1}, since no data were given"
        )
    with own_numbers(seed):
        drawn = torch.randn(1_000, size)
    says = f"{size} number{'s' if size != 1 else ''} a step, drawn from a normal distribution, since no data were given"
    return Material(values=drawn, codes=codes_of(None), names={}, says=says)


def codes_of(values: Tensor | None) -> Tensor:
    """Return the codes that occur; none of numbers."""
    return torch.zeros(0, dtype=torch.int64) if values is None or values.is_floating_point() else values.unique()


def _of_data(module: nn.Module, data: Sequences, says: str, seed: int) -> Material:
    parts = {name: part.values.detach().cpu() for name, part in data.parts.items()}
    if isinstance(module, Model):  # features that it does not read, such as a target column, are none of its inputs
        parts = {name: parts[name] for name in parts if name in module.config.numeric or name in module.config.categories} or parts
    layout = None if set(parts) == {"x"} else Layout.of(parts)
    values = parts["x"] if layout is None else layout.joined(parts)
    if values.is_floating_point():
        values = values[values.flatten(1).isfinite().all(1)]
    if not len(values):
        raise DataError(
            asked=f"audit {type(module).__name__}",
            where=data.source,
            arrived="no step in which all values are numbers",
            hint="Give data with at least a few whole steps.",
        )
    values, enough = _enough(values, layout, seed)
    return Material(
        values=values,
        layout=layout,
        codes=codes_of(parts["x"] if layout is None else None),
        static=None if data.static is None else data.static.detach().cpu(),
        names={name: tuple(labels) for name, labels in data.categories.items()},
        says=f"pieces of {says}" + ("" if enough else ", and numbers drawn like them, since there are few different steps"),
    )


def _enough(values: Tensor, layout: Layout | None, seed: int) -> tuple[Tensor, bool]:
    """Return the steps, and where fewer than three differ but are numbers, others drawn with their mean and spread."""
    head = values[:_MOST_STEPS]
    if (layout is not None and not layout.holds_numbers) or not values.is_floating_point() or len(head.flatten(1).unique(dim=0)) >= GROUPS:
        return values, True
    spread = values.double().std(0, correction=0)
    with own_numbers(seed):
        drawn = torch.randn(1_000, *values.shape[1:])
    return (values.double().mean(0) + drawn * torch.where(spread > 0, spread, torch.ones_like(spread))).to(values.dtype), False


def _of_model(module: Model, seed: int) -> Material:
    """Return drawn values for one of ours, whose record tells what it reads."""
    numeric, categories = module.config.numeric, module.config.categories
    with own_numbers(seed):
        parts: dict[str, Tensor] = {name: torch.randn(1_000, size) for name, size in numeric.items()}
        parts |= {name: torch.randint(len(labels), (1_000,)) for name, labels in categories.items()}
        static = torch.randn(100, module.config.num_static) if module.config.num_static else None
    layout = None if set(parts) == {"x"} else Layout.of(parts)
    return Material(
        values=parts["x"] if layout is None else layout.joined(parts),
        layout=layout,
        codes=codes_of(parts["x"] if layout is None else None),
        static=static,
        names={name: tuple(labels) for name, labels in categories.items()},
        says="values drawn as its record says, since no data were given",
    )


def _as_sequences(example: Any, name: str, *, batch_first: bool) -> Sequences:
    """Return a batch as the module takes it, a tensor or a dict of them, as sequences.

    Raises:
        ContractError: it is neither.
    """
    parts = dict(example) if isinstance(example, dict) else {"x": example}
    ragged = {}
    for key, part in parts.items():
        if not isinstance(part, Tensor) or part.ndim < 1 + part.is_floating_point() or not part.numel():
            shown = f"a tensor of shape {tuple(part.shape)}" if isinstance(part, Tensor) else kind_of(part)
            raise ContractError(
                asked=f"audit {name}",
                where="example" if key == "x" else f"example, input {key!r}",
                arrived=shown,
                hint="Give a batch as the module takes it: a tensor [batch, time, features], or [batch, time] of codes, or a dict of them.",
            )
        one = part[None] if part.ndim == 1 + part.is_floating_point() else part
        dense = (one if batch_first else one.transpose(0, 1)).detach()
        ragged[key] = Ragged(dense.flatten(0, 1), torch.full((dense.shape[0],), dense.shape[1]))
    return Sequences(inputs=ragged["x"] if set(ragged) == {"x"} else ragged, source="the example")


def _apart(codes: Tensor, count: int, rows: int) -> Tensor:
    """Return codes from 0 to before `count` of which no two at the same place in different groups are the same."""
    if count < GROUPS:
        return codes
    groups = list(codes.split(rows))
    for number in range(1, GROUPS):
        while True:
            same = torch.stack([groups[number] == before for before in groups[:number]]).any(0)
            if not bool(same.any()):
                break
            groups[number] = torch.where(same, (groups[number] + 1) % count, groups[number])
    return torch.cat(groups)


def _shuffled(codes: Tensor, seed: int) -> Tensor:
    order = torch.randint(len(codes), (1_000,), generator=torch.Generator().manual_seed(seed))
    return codes[order]


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
    raise ContractError(
        asked=f"audit {name}",
        where="data",
        arrived="none, and no layer that tells what a step is",
        hint="Give data=..., a few sequences that the module can read, or example=..., a batch as it takes it.",
    )

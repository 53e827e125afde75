"""Which parts of training can be one's own? Optimiser, sampler and metrics, each a plain function; the usual ones otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from statewise.errors import OptionError, kind_of
from statewise.sequences import batches
from statewise.training._generators import drawing_apart
from statewise.training._gradients import finite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from statewise.sequences import Sequences
    from statewise.training._options import FitOptions


@dataclass(frozen=True, kw_only=True)
class OwnParts:
    """Parts of training that a user brings along.

    Attributes:
        optimizer: makes the optimiser from the parameters that are trained; its learning rates are those the schedule starts from.
        sampler: `sampler(train, epoch)` yields the rows of each batch of an epoch, counted from 1.
        metrics: `metric(outputs, targets)` of all scored rows of the validation part, by name.
    """

    optimizer: Callable[[Sequence[nn.Parameter]], torch.optim.Optimizer] | None = None
    sampler: Callable[[Sequences, int], Iterable[Any]] | None = None
    metrics: Mapping[str, Callable[[Tensor, Tensor], Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be called."""
        parts: dict[str, object] = {
            name: part for name, part in (("optimizer", self.optimizer), ("sampler", self.sampler)) if part is not None
        }
        parts |= {f"metrics, {name!r}": metric for name, metric in self.metrics.items()}
        for where, part in parts.items():
            if not callable(part):
                signature = {"optimizer": "optimizer(parameters)", "sampler": "sampler(train, epoch)"}.get(
                    where, "metric(outputs, targets)"
                )
                raise OptionError(asked="fit", where=where, arrived=kind_of(part), hint=f"Give a function: {signature}.")

    def make_optimizer(self, parameters: Sequence[nn.Parameter], options: FitOptions) -> torch.optim.Optimizer:
        """Return the optimiser: one's own, or AdamW.

        Raises:
            OptionError: `optimizer` made something else.
        """
        if self.optimizer is None:
            # One pass over each parameter instead of ten.
            fused = all(parameter.device.type in {"cpu", "cuda"} and parameter.is_floating_point() for parameter in parameters)
            return torch.optim.AdamW(parameters, lr=options.lr, weight_decay=options.weight_decay, fused=fused)
        made: object = self.optimizer(parameters)
        if not isinstance(made, torch.optim.Optimizer):
            hint = "Give a function of the parameters: optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1)."
            raise OptionError(asked="fit", where="optimizer", arrived=f"it returned {kind_of(made)}", hint=hint)
        return made

    def batches(self, train: Sequences, options: FitOptions, epoch: int, *, start: int = 0) -> Iterator[Sequences]:
        """Yield the batches of one epoch from number `start` on.

        A sampler is asked for the batches before too. What it draws comes from generators of its own, seeded by the epoch, so that it
        gives the same ones again.

        Raises:
            OptionError: the sampler gave no rows at all.
        """
        if self.sampler is None:
            yield from batches(train, options.steps_per_batch(train), seed=options.seed, epoch=epoch, start=start)
            return
        sampler, number = self.sampler, 0
        for rows in drawing_apart(lambda: sampler(train, epoch), options.seed * 1_000_003 + epoch):
            number += 1
            if number > start:
                yield train.select(rows)
        if not number:
            hint = "Yield the rows of each batch: for rows in torch.randperm(len(data)).split(32): yield rows."
            raise OptionError(asked="fit", where="sampler", arrived=f"no batch in epoch {epoch}", hint=hint)

    def measure(self, kept: Sequence[tuple[Tensor, Tensor]]) -> dict[str, float | None]:
        """Return each metric of all rows together; one that is not finite is None.

        Raises:
            OptionError: a metric that gives no single number.
        """
        if not kept:
            return {}
        outputs, targets = (torch.cat(parts) for parts in zip(*kept, strict=True))
        measured = {}
        for name, metric in self.metrics.items():
            given = metric(outputs, targets)
            try:
                measured[name] = finite(float(given))
            except (TypeError, ValueError, RuntimeError) as problem:
                hint = "Return one number: metrics={'mae': lambda outputs, targets: (outputs[:, 0] - targets).abs().mean()}."
                raise OptionError(asked="fit", where=f"metrics, {name!r}", arrived=kind_of(given), hint=hint) from problem
        return measured

    def told(self) -> dict[str, Any]:
        """Return what there is of one's own, as it is written down with the run's options."""
        found: dict[str, Any] = {}
        if self.optimizer is not None:
            found["own_optimizer"] = getattr(self.optimizer, "__qualname__", type(self.optimizer).__name__)
        if self.sampler is not None:
            found["own_sampler"] = getattr(self.sampler, "__qualname__", type(self.sampler).__name__)
        if self.metrics:
            found["own_metrics"] = sorted(self.metrics)
        return found

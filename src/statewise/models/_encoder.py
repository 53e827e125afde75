"""How do raw inputs become what the recurrent core reads? Numbers are standardised, categories embedded.

The statistics come from the training part alone (`fit` asks for that) and are buffers: they travel with the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from statewise.errors import ShapeError
from statewise.sequences import Ragged, Scale, Sequences, fit_statistics, recode, standardize, steps_ahead

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statewise.models._config import ModelConfig


class Standardize(nn.Module):
    """Subtracts the mean of the training part and divides by its spread, feature by feature.

    Args:
        size: number of features.
        fill: read NaN as the mean. Otherwise it stays, and spoils every output that it reaches, which is then refused.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, size: int, *, fill: bool = False) -> None:
        super().__init__()
        self.fill = fill
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def forward(self, values: Tensor) -> Tensor:
        """Return `[rows, feature]` in units of the training part's spread."""
        standard = standardize(values, self.mean, self.scale)
        return torch.where(standard.isnan(), 0.0, standard) if self.fill else standard

    def undo(self, standard: Tensor) -> Tensor:
        """Return values in their own units from those in units of the spread."""
        return standard * self.scale + self.mean

    def learn(self, moments: Scale) -> None:
        """Take mean and spread from these."""
        self.mean.copy_(torch.tensor(moments.mean, dtype=torch.float64))
        self.scale.copy_(torch.tensor(moments.scale, dtype=torch.float64))


class Encoder(nn.Module):
    """Turns the named inputs of a sequence into one `[steps, feature]` tensor for the core."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        fill = config.missing == "mean"
        self.numeric = nn.ModuleDict(
            {_key(name, place): Standardize(size, fill=fill) for place, (name, size) in enumerate(config.numeric.items())}
        )
        # Row 0 stands for `unknown`: it stays zero, and gets no gradient.
        self.embedded = nn.ModuleDict(
            {
                _key(name, place): nn.Embedding(len(seen) + 1, config.embedding_size, padding_idx=0)
                for place, (name, seen) in enumerate(config.categories.items())
            }
        )
        self.static = Standardize(config.num_static) if config.num_static else None

    @property
    def size(self) -> int:
        """Number of features a step that the core reads."""
        return sum(self.config.numeric.values()) + self.config.embedding_size * len(self.config.categories)

    def learn(self, data: Sequences) -> None:
        """Take the statistics of one part, the training part, as the scale of all inputs."""
        self._require(data.parts)
        statistics = fit_statistics(data)
        for name, layer in zip(self.config.numeric, self.numeric.values(), strict=True):
            assert isinstance(layer, Standardize)
            layer.learn(statistics.inputs[name])
        if self.static is not None and statistics.static is not None:
            self.static.learn(statistics.static)

    def forward(self, parts: Mapping[str, Ragged], categories: Mapping[str, tuple[str, ...]] | None = None) -> Ragged:
        """Return one ragged `[steps, feature]` of all inputs side by side.

        Args:
            parts: the inputs by name.
            categories: the labels behind the codes of each categorical input, where they differ from the model's own.
        """
        self._require(parts)
        columns = [
            self._blanked(layer(parts[name].values.to(self._dtype)), parts[name])
            for name, layer in zip(self.config.numeric, self.numeric.values(), strict=True)
        ]
        for (name, seen), embedding in zip(self.config.categories.items(), self.embedded.values(), strict=True):
            codes = recode(parts[name].values, (categories or {}).get(name, seen), seen)
            columns.append(embedding(codes))
        first = next(iter(parts.values()))
        return first.with_values(torch.cat(columns, dim=1) if len(columns) > 1 else columns[0])

    def known_ahead(self, parts: Mapping[str, Ragged], beyond: Mapping[str, Ragged] | None = None) -> Tensor:
        """Return what is known beforehand of the steps that each forecast is about: `[steps, horizon * known]`.

        Where a sequence ends before, its last step stands in; `predict` gives no forecast there.

        Args:
            parts: the inputs by name.
            beyond: the same with the steps that follow each sequence, where it is a piece of a longer one.
        """
        own, first = next(iter(parts.values())), next(iter((beyond or parts).values()))
        at = None if beyond is None else first.offsets[own.rows] + own.positions
        steps, _ = steps_ahead(first.lengths, self.config.horizon, at=at)
        columns = []
        for (name, places), layer in zip(self.config.known.items(), self.numeric.values(), strict=True):
            if places:
                columns.append(layer((beyond or parts)[name].values.to(self._dtype))[:, list(places)])
        return torch.cat(columns, dim=1)[steps].flatten(1)

    def _blanked(self, values: Tensor, part: Ragged) -> Tensor:
        """Return the standardised features, in training some of each sequence set to 0, the mean: a broken sensor stays broken."""
        share = self.config.input_dropout
        if not (self.training and share):
            return values
        kept = torch.rand(len(part), values.shape[1], device=values.device) >= share
        return torch.where(kept[part.rows], values, 0.0)

    @property
    def _dtype(self) -> torch.dtype:
        return next(iter(self.numeric.values())).mean.dtype if self.numeric else torch.get_default_dtype()  # type: ignore[return-value]

    def _require(self, parts: Mapping[str, Ragged]) -> None:
        for name in (*self.config.numeric, *self.config.categories):
            if name not in parts:
                raise ShapeError(
                    asked="call the model",
                    where=f"input {name!r}",
                    arrived=f"inputs {', '.join(parts)}",
                    hint=f"The model was built for inputs {', '.join((*self.config.numeric, *self.config.categories))}.",
                )
        for name, size in self.config.numeric.items():
            found = parts[name].values.shape[-1] if parts[name].values.ndim == 2 else 0
            if found != size:
                raise ShapeError(
                    asked="call the model",
                    where=f"input {name!r}",
                    arrived=f"{found} features a step ({list(parts[name].values.shape)}), but the model reads {size}",
                    hint=f"Build it with input_size={found}, or name the {size} columns to use with features=[...].",
                )


def _key(name: str, place: int) -> str:
    """Return the name of an input where it can be that of a submodule, else one by its place."""
    return name if name.isidentifier() and not hasattr(nn.ModuleDict(), name) else f"input_{place}"

"""How does a loop of one's own see long streams? In windows of time over lanes, each stream in order and once, with all it must know.

Where each stream lies is `_lanes`'; how `fit` runs the same lanes without filling up is `statewise.contracts`'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator  # noqa: TC003 - read at run time where shapes are checked
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from statewise.errors import DataError, OptionError
from statewise.sequences._arguments import SEEDS, flag_of, number_of, require_sequences
from statewise.sequences._lanes import Lanes, laid
from statewise.sequences._ragged import Ragged
from statewise.sequences._sequences import Sequences
from statewise.sequences._targets import aligned
from statewise.state import detach, map_tensors
from statewise.types import State

_ASKED = "windows"


@dataclass(frozen=True, eq=False, kw_only=True)
class Window:
    """Some steps of all lanes, `[time, lanes, *]` each: first those of the burn-in, then those through which backward goes.

    Attributes:
        inputs: what is read, or a dict of it with several inputs.
        targets: what the output at each step is held against (of a sequence with one target: that, at each of its steps); for
            `forecast` `[time, lanes, horizon]`. None for data without targets.
        weights: how much each target counts: 0 where it is not scored.
        is_first: where a step begins from the initial state.
        scored: where a step is scored in this window, which each step with a target is in exactly one.
        valid: false where a lane has ended; its last step is repeated there, never scored.
        source: the place of each step in the flat values of the data.
        row: the sequence that each step is of.
        static: `[time, lanes, static]`, or None.
        times: the time of each step, or None.
        number: which window this is, from 0.
        burn_in: so many steps at the beginning run without gradient.
        carry: the next window begins so many steps after the beginning of this one; after the last one the lanes end.
    """

    inputs: Shaped[Tensor, "time lanes *feature"] | dict[str, Tensor]
    targets: Shaped[Tensor, "time lanes *more"] | None
    weights: Float[Tensor, "time lanes *ahead"] | None
    is_first: Bool[Tensor, "time lanes"]
    scored: Bool[Tensor, "time lanes"]
    valid: Bool[Tensor, "time lanes"]
    source: Int[Tensor, "time lanes"]
    row: Int[Tensor, "time lanes"]
    static: Shaped[Tensor, "time lanes static"] | None
    times: Shaped[Tensor, "time lanes"] | None
    number: int
    burn_in: int
    carry: int

    def run(self, forward: Callable[[Any, State, Tensor], tuple[Any, State]], state: State) -> tuple[Any, State]:
        """Run a module over the window, and return its outputs `[time, lanes, *]` and the state that the next window begins from.

        The burn-in runs without gradient. The state is taken where the next window begins, which with `stride` or `burn_in` is not
        where this one ends, and it is detached.

        Args:
            forward: `forward(inputs, state, is_first)` returns `(outputs, state)`, such as
                `lambda inputs, state, is_first: sw.unroll(module, inputs, state, is_first=is_first)`.
            state: what the window before returned; None before the first.
        """
        end = len(self.is_first)
        edges = sorted({0, self.burn_in, self.carry, end})
        carried = detach(state) if self.carry == 0 else None
        outputs = []
        for begin, stop in pairwise(edges):
            with torch.set_grad_enabled(torch.is_grad_enabled() and begin >= self.burn_in):
                part, state = forward(self._inputs(begin, stop), state, self.is_first[begin:stop])
            outputs.append(part)
            if stop == self.carry:
                carried = detach(state)
        return map_tensors(lambda *parts: torch.cat(parts), *outputs), carried

    def _inputs(self, begin: int, stop: int) -> Any:
        if isinstance(self.inputs, Tensor):
            return self.inputs[begin:stop]
        return {name: part[begin:stop] for name, part in self.inputs.items()}

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Window:
        """Return the same window on another device."""

        def moved(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: moved(part) for name, part in value.items()}
            return value.to(device, non_blocking=non_blocking) if isinstance(value, Tensor) else value

        return Window(**{field.name: moved(getattr(self, field.name)) for field in fields(self)})


class Span(NamedTuple):
    """Where one window lies on the lanes: it is read from `start`, learned from `begin`, scored from `scored`, and ends at `end`."""

    start: int
    begin: int
    scored: int
    end: int
    following: int
    """Where the next window is read from; the end of the lanes after the last one."""


@dataclass(frozen=True, kw_only=True)
class Strides:
    """How windows follow one another on lanes of `time` steps.

    Attributes:
        time: steps of the longest lane.
        window: steps through which backward goes.
        stride: how far apart windows start.
        burn_in: steps before them that run without gradient.
    """

    time: int
    window: int
    stride: int
    burn_in: int

    def __post_init__(self) -> None:
        """Refuse sizes that would leave steps out."""
        limits = {"window": (1, None), "stride": (1, self.window), "burn_in": (0, None)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if value < low or (high is not None and value > high):
                reach = "" if high is None else f" to the window, {high}: steps between would be left out"
                hint = f"Give a whole number from {low} up{reach}."
                raise OptionError(asked=_ASKED, where=name, arrived=str(value), hint=hint)

    def __len__(self) -> int:
        """Return the number of windows."""
        return 1 + -(-max(self.time - self.window, 0) // self.stride)

    def span(self, number: int) -> Span:
        """Return where one window lies.

        Example:
            >>> Strides(time=10, window=4, stride=2, burn_in=3).span(2)
            Span(start=1, begin=4, scored=6, end=8, following=3)
        """
        begin = number * self.stride
        return Span(
            start=max(begin - self.burn_in, 0),
            begin=begin,
            scored=begin + self.window - self.stride if number else 0,
            end=min(begin + self.window, self.time),
            following=min(max(begin + self.stride - self.burn_in, 0), self.time),
        )


class Windows(IterableDataset[Window]):
    """The windows of one epoch, in order; made by `statewise.windows`. Iterates anew each time.

    Attributes:
        data: the sequences.
        lanes: which of them lies where.
        strides: how windows follow one another.
        horizon: how many steps ahead the targets of a window reach.
        first: the window that iterating begins with.
    """

    def __init__(self, data: Sequences, lanes: Lanes, strides: Strides, *, horizon: int = 1, first: int = 0) -> None:
        super().__init__()
        self.data, self.lanes, self.strides, self.horizon, self.first = data, lanes, strides, horizon, first

    @property
    def num_lanes(self) -> int:
        """Number of lanes: rows of the carried state."""
        return len(self.lanes)

    def __len__(self) -> int:
        """Return the number of windows from `first` on."""
        return len(self.strides) - self.first

    def __iter__(self) -> Iterator[Window]:
        """Yield each window once. In workers of a `DataLoader` each makes every n-th, which the loader puts in order again."""
        worker = get_worker_info()
        begin, step = (self.first, 1) if worker is None else (self.first + worker.id, worker.num_workers)
        for number in range(begin, len(self.strides), step):
            yield self.window(number)

    def starting_at(self, number: int) -> Windows:
        """Return the same windows from one on, to go on in the middle of an epoch with the state that the one before returned.

        Raises:
            OptionError: there is no such window.
        """
        number = _whole("starting_at", number, 0, len(self.strides), hint=f"There are {len(self.strides)} windows, counted from 0.")
        return Windows(self.data, self.lanes, self.strides, horizon=self.horizon, first=number)

    def window(self, number: int) -> Window:
        """Return one window of the epoch, whatever `first` is.

        Raises:
            OptionError: there is no such window.
        """
        number = _whole("window", number, 0, len(self.strides) - 1, hint=f"There are {len(self.strides)} windows, counted from 0.")
        span = self.strides.span(number)
        there = self.lanes.dense(span.start, span.end)
        scored = there.valid & (torch.arange(span.start, span.end) >= span.scored)[:, None]
        targets, weights = self._targets(there.places, there.row)
        if weights is not None:
            by_step = weights.flatten(2).amax(2) if weights.ndim > 2 else weights
            scored = scored & (by_step > 0)
            weights = torch.where(scored.view(*scored.shape, *[1] * (weights.ndim - 2)), weights, 0.0)
        parts = {name: part.values[there.places.to(part.values.device)] for name, part in self.data.parts.items()}
        return Window(
            inputs=parts["x"] if isinstance(self.data.inputs, Ragged) else parts,
            targets=targets,
            weights=weights,
            is_first=there.is_first,
            scored=scored,
            valid=there.valid,
            source=there.places,
            row=there.row,
            static=None if self.data.static is None else self.data.static[there.row],
            times=None if self.data.times is None else self.data.times[there.places],
            number=number,
            burn_in=span.begin - span.start,
            carry=span.following - span.start,
        )

    def _targets(self, places: Tensor, row: Tensor) -> tuple[Tensor | None, Tensor | None]:
        if not isinstance(self.data.targets, Tensor):
            return None, None
        at = places if self.data.each == "step" else row
        items = aligned(self.data, self.data.task or "other", self.horizon, at=at)
        return items.targets, items.weights


def windows(
    data: Sequences,
    *,
    lanes: int = 64,
    window: int = 128,
    stride: int | None = None,
    burn_in: int = 0,
    seed: int | None = 0,
    epoch: int = 0,
    cut: bool = True,
    horizon: int | None = None,
) -> Windows:
    """Lay long streams on lanes and return the windows of an epoch, in order: for truncated backpropagation with a carried state.

    Windows start `stride` steps apart, and backward goes through `window` steps. The last `stride` of them are scored (in the first
    window all), so each step is scored exactly once, with at least `window - stride` steps of gradient behind it. The `burn_in`
    steps before run without gradient, from the state that was carried to their start: they renew a state that older weights made.

    The streams stand end to end on lanes about equally long, the longest dealt out first, each in order and once; `is_first` is true
    where one begins, so `sw.unroll(module, window.inputs, state, is_first=window.is_first)` resets there. A stream longer than an
    equal share of all steps is **cut** into pieces of about that share; where lanes would be uneven all the same, whatever is longer than
    a half, a third or a quarter of it is cut too, but into no pieces below `window` steps. Each piece begins anew, with `is_first`. Where
    no stream is longer than a share, none is cut. Where there are fewer pieces than lanes, there are fewer lanes.
    A lane that has ended repeats its last step, never scored.

    The returned object iterates anew each time, has a length, and is an iterable data set: `DataLoader(windows, batch_size=None,
    num_workers=2)` gives the same windows in the same order. `starting_at(k)` goes on in the middle of an epoch.

    Args:
        data: the sequences; those without a step are left out.
        lanes: number of lanes at most: the rows of the carried state.
        window: steps through which backward goes.
        stride: how far apart windows start, at most `window`; None: `window`.
        burn_in: steps before them that run without gradient.
        seed: draws, together with `epoch`, which stream comes when; None keeps the order of the data.
        epoch: give another number each time round for another order.
        cut: cut streams that are longer than an equal share; False keeps each whole.
        horizon: steps ahead, for data whose task is `forecast`.

    Raises:
        OptionError: a size outside its range, or a horizon for another task.
        DataError: no sequence with a step.

    Example:
        >>> import statewise as sw
        >>> streams = sw.Sequences(inputs=sw.Ragged(torch.randn(70, 2), torch.tensor([40, 30])), targets=torch.randn(70))
        >>> core, head, state = torch.nn.GRU(2, 4), torch.nn.Linear(4, 1), None
        >>> optimizer = torch.optim.SGD([*core.parameters(), *head.parameters()], lr=0.1)
        >>> for window in windows(streams, lanes=2, window=16):
        ...     outputs, state = sw.unroll(core, window.inputs, state, is_first=window.is_first)
        ...     loss = (head(outputs)[..., 0] - window.targets)[window.scored].square().mean()
        ...     optimizer.zero_grad()
        ...     loss.backward()
        ...     optimizer.step()
        ...     state = sw.state.detach(state)

        With `stride` or `burn_in`, `window.run` cuts where it must, and detaches:

        >>> state, num_scored = None, 0
        >>> for window in windows(streams, lanes=2, window=16, stride=8, burn_in=4):
        ...     outputs, state = window.run(lambda x, state, is_first: sw.unroll(core, x, state, is_first=is_first), state)
        ...     num_scored += int(window.scored.sum())
        >>> num_scored
        70
    """
    require_sequences(data, asked=_ASKED, where="data")
    lanes, window, burn_in = _whole("lanes", lanes, 1), _whole("window", window, 1), _whole("burn_in", burn_in, 0)
    stride, epoch = window if stride is None else _whole("stride", stride, 1), _whole("epoch", epoch, 0)
    seed = None if seed is None else _whole("seed", seed, -SEEDS, SEEDS)
    cut = flag_of(cut, asked=_ASKED, where="cut")
    if (horizon is None) == (data.task == "forecast"):
        hint = "Give horizon=24 for a forecast of the next 24 steps at each step; leave it out for other tasks."
        arrived = f"{horizon} beside data whose task is {data.task!r}"
        raise OptionError(asked=_ASKED, where="horizon", arrived=arrived, hint=hint)
    if not data.num_steps:
        raise DataError(asked=_ASKED, where=data.source, arrived="no sequence with a step", hint="Give at least one.")
    strides = Strides(time=data.num_steps, window=window, stride=stride, burn_in=burn_in)
    found = laid(data.lengths.cpu(), lanes=lanes, seed=seed, epoch=epoch, cut=cut, shortest=window)
    return Windows(data, found, replace(strides, time=found.time), horizon=1 if horizon is None else _whole("horizon", horizon, 1))


def _whole(name: str, value: Any, low: int, high: int | None = None, *, hint: str | None = None) -> int:
    """Return a whole number in its range, or refuse it by name."""
    found: int = number_of(value, low, SEEDS if high is None else high, asked=_ASKED, where=name, whole=True, hint=hint)
    return found

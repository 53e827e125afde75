"""What does an epoch consist of when long streams are trained in windows? Each window of the lanes is an item, with the state carried.

The lanes and the order of windows are those of `statewise.windows`. A window is run as the pieces of sequences that lie in it, so
nothing is filled up; how pieces are run with the state of their lanes is `statewise.contracts`'.
"""

from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003  # read at run time where signatures are checked
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from statewise.contracts import Carrier, carrier_of
from statewise.sequences import Lanes, Span, Strides, laid
from statewise.state import detach
from statewise.training._objective import Scored
from statewise.types import State

if TYPE_CHECKING:
    from statewise.sequences import Sequences
    from statewise.training._options import FitOptions
    from statewise.training._scoring import Scorer


@dataclass(frozen=True, kw_only=True)
class LaneWindow:
    """One window of all lanes of an epoch."""

    lanes: Lanes
    span: Span

    @property
    def num_steps(self) -> int:
        """Steps that are scored in it: each step of an epoch is in one window."""
        ends = self.lanes.lengths.clamp(max=self.span.end)
        return int((ends - self.span.scored).clamp(min=0).sum())


@dataclass(frozen=True, kw_only=True)
class LaneWindows:
    """The windows of an epoch, in order; the state is that of all lanes where the next window begins, without a graph.

    Attributes:
        train: the part trained on.
        options: how.
        scorer: scores outputs.
        carrier: runs the module on what lies on the lanes.
    """

    train: Sequences
    options: FitOptions
    scorer: Scorer
    carrier: Carrier

    @classmethod
    def of(cls, train: Sequences, options: FitOptions, scorer: Scorer) -> LaneWindows:
        """Return the windows of a part, for a module that carries its state.

        Raises:
            ContractError: it does not.
        """
        carrier = carrier_of(scorer.adapted, train, asked="fit with window=", within=scorer.autocast)
        return cls(train=train, options=options, scorer=scorer, carrier=carrier)

    @property
    def num_steps(self) -> int:
        """Real steps of an epoch."""
        return self.train.num_steps

    def items(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """Yield the windows of an epoch from number `start` on."""
        options = self.options
        window = options.window
        assert window is not None, "without a window batches of whole sequences are trained on"
        lengths = self.train.lengths.cpu()
        lanes = laid(lengths, lanes=options.num_lanes, seed=options.seed, epoch=epoch, cut=True, shortest=window)
        strides = Strides(time=lanes.time, window=window, stride=options.stride or window, burn_in=options.burn_in)
        for number in range(start, len(strides)):
            yield LaneWindow(lanes=lanes, span=strides.span(number))

    def score(self, item: Any, state: State) -> tuple[Scored, State]:
        """Return the loss of the steps that are scored in a window, and the state where the next one begins."""
        span: Span = item.span
        carried = state if span.following == span.start else None
        values, places = [], []
        for begin, end in pairwise(sorted({span.start, span.begin, span.following, span.end})):
            runs = item.lanes.runs(begin, end)
            with torch.set_grad_enabled(begin >= span.begin):
                outputs, state = self.carrier.run(runs, state)
            chosen = (runs.times >= span.scored).nonzero().flatten()
            values.append(outputs.index_select(0, chosen.to(outputs.device)))
            places.append(runs.places[chosen])
            if end == span.following:
                carried = detach(state)
        return self.scorer.scored(torch.cat(values), self.train, torch.cat(places)), carried

    def like(self) -> State:
        """Return a state, to tell what the carried one looks like."""
        return self.carrier.like

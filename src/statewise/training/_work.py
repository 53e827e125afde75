"""What does an epoch consist of? A sequence of items, each of which gives one update: batches of whole sequences, or windows (`_windows`).

The trainer knows no more of it than the protocol `Work`, so that it can stop and go on between any two items:

    for item in work.items(epoch, start=cursor):     # the same items in the same order, whenever they are asked for
        scored, state = work.score(item, state)      # a loss with its graph, and the state carried to the next item

The state is None at the beginning of an epoch. It is kept in checkpoints, so it must hold everything that `score` needs of the items
before, without a graph. What is scored is made smaller by the trainer, which also counts, clips, steps and records.
"""

from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003  # read at run time where signatures are checked
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from statewise.training._objective import Scored
from statewise.types import State

if TYPE_CHECKING:
    from statewise.sequences import Sequences
    from statewise.training._options import FitOptions
    from statewise.training._own import OwnParts
    from statewise.training._scoring import Scorer


@runtime_checkable
class Item(Protocol):
    """One piece of an epoch."""

    @property
    def num_steps(self) -> int:
        """Real steps of it that are trained on, each counted in one item of the epoch."""
        ...


@runtime_checkable
class Work(Protocol):
    """The items of an epoch, and what one of them gives."""

    @property
    def num_steps(self) -> int:
        """Real steps of an epoch."""
        ...

    def items(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """Yield the items (each an `Item`) of an epoch, counted from 1, beginning with item number `start`.

        What comes may depend on nothing but the epoch: not on the items before, nor on the state of the random generators.
        """
        ...

    def score(self, item: Any, state: State) -> tuple[Scored, State]:
        """Return the loss of an item, and the state that it hands on."""
        ...

    def like(self) -> State:
        """Return a state of the same structure, types and devices as `score` hands on, of any number of rows; None for none."""
        ...


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Batches of whole sequences, each of which begins anew: nothing is carried.

    Attributes:
        train: the part trained on.
        options: how.
        own: the sampler, where it is one's own.
        scorer: calls the module.
    """

    train: Sequences
    options: FitOptions
    own: OwnParts
    scorer: Scorer

    @property
    def num_steps(self) -> int:
        """Real steps of an epoch."""
        return self.train.num_steps

    def items(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """Yield the batches of an epoch from number `start` on."""
        return self.own.batches(self.train, self.options, epoch, start=start)

    def score(self, item: Any, state: State) -> tuple[Scored, State]:
        """Return the loss of a batch."""
        assert state is None, "whole sequences carry nothing"
        return self.scorer.score(item), None

    def like(self) -> State:
        """Return None: nothing is carried."""
        return None

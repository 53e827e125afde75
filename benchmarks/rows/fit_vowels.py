"""How fast is the whole of `fit` beside a loop written by hand, with the same model, batches, clipping, norms and validation?"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cache, cached_property, partial

import torch
from torch import Tensor, nn

from benchmarks.contest import Contest, Contestant, Peer, Row, timed
from benchmarks.peers.training import Classifier, Labelled, Layout, Settings, Trained, train_by_hand
from statewise.datasets import japanese_vowels
from statewise.models import Model, build
from statewise.runs import Run
from statewise.sequences import Sequences, batch_rows, read, split
from statewise.training import fit

EPOCHS_TO_TIME, EPOCHS_TO_AGREE, EPOCHS_TO_LEARN = 5, 2, 40


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A model of japanese-vowels and how it is trained."""

    name: str
    says: str
    bidirectional: bool = False
    lr: float = 0.01
    label_smoothing: float = 0.0
    dropout: float = 0.0
    input_dropout: float = 0.0

    def build(self, train: Sequences, seed: int) -> Model:
        """Return our model."""
        return build(
            "lstm",
            data=train,
            hidden_size=100,
            bidirectional=self.bidirectional,
            readout="max" if self.bidirectional else "last",
            dropout=self.dropout,
            input_dropout=self.input_dropout,
            seed=seed,
        )


RECIPES = (
    Recipe(name="fit-vowels", says="LSTM 12 to 100, last output, no dropout"),
    Recipe(
        name="fit-vowels-recipe",
        says="the model of make run: LSTM 12 to 100 in both directions, largest output, dropout",
        bidirectional=True,
        label_smoothing=0.1,
        dropout=0.3,
        input_dropout=0.2,
    ),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """One recipe on the data, from the weights of one seed."""

    recipe: Recipe
    seed: int

    @cached_property
    def model(self) -> Model:
        """The model before training."""
        return self.recipe.build(_parts()[0], self.seed)

    def ours(self, epochs: int) -> Run:
        """Fit a copy of the model."""
        train, valid, _ = _parts()
        recipe = self.recipe
        return fit(
            copy.deepcopy(self.model),
            train,
            valid,
            epochs=epochs,
            lr=recipe.lr,
            label_smoothing=recipe.label_smoothing,
            patience=0,
            seed=self.seed,
            device="cpu",
        )

    def by_hand(self, layout: Layout, epochs: int) -> Trained:
        """Train a copy of the same weights by hand."""
        train, valid, _ = _parts()
        recipe = self.recipe
        settings = Settings(
            epochs=epochs,
            lr=recipe.lr,
            label_smoothing=recipe.label_smoothing,
            dropout=recipe.dropout,
            input_dropout=recipe.input_dropout,
        )
        core, head = copy.deepcopy(self.model.core), copy.deepcopy(self.model.head)
        assert isinstance(core, nn.LSTM)
        steps = train.num_steps // 16  # the budget of a batch of `fit`, by default
        batches = [list(batch_rows(train.lengths, steps, seed=self.seed, epoch=epoch)) for epoch in range(1, epochs + 1)]
        valid_batches = list(batch_rows(valid.lengths, 8 * steps))
        torch.manual_seed(self.seed)
        return train_by_hand(
            Classifier(core, head, layout, settings),
            _labelled(train),
            _labelled(valid),
            settings,
            batches=batches,
            valid_batches=valid_batches,
        )

    def contest(self) -> Contest:
        """Return ours beside both layouts of the loop; without dropout the weights after some epochs are the same."""
        layouts: tuple[Layout, ...] = ("packed", "padded")
        agrees = not (self.recipe.dropout or self.recipe.input_dropout)
        ours = Contestant(
            name="fit",
            figure=timed(partial(self.ours, EPOCHS_TO_TIME)),
            answer=(lambda: _weights(self.ours(EPOCHS_TO_AGREE).model)) if agrees else None,
        )
        return Contest(ours=ours, peers=tuple(self._peer(layout) for layout in layouts), notes=self._accuracies())

    def _peer(self, layout: Layout) -> Peer:
        loop = Contestant(
            name=layout,
            figure=timed(partial(self.by_hand, layout, EPOCHS_TO_TIME)),
            answer=lambda: _weights(self.by_hand(layout, EPOCHS_TO_AGREE).model),
        )
        return Peer(name=layout, says=f"a loop written by hand, {layout}", variants=(loop,))

    def _accuracies(self) -> str:
        """Train whole, and return the accuracies on the test part, which chose nothing."""
        test = _labelled(_parts()[2])
        run = self.ours(EPOCHS_TO_LEARN)
        assert isinstance(run.model, Model)
        with torch.no_grad():
            answers = run.model.run_sequences(_parts()[2]).values.argmax(1)
        ours = float(torch.mean((answers == test.labels).float()))
        theirs = self.by_hand("packed", EPOCHS_TO_LEARN).accuracy(test)
        return f"seed {self.seed}, after {EPOCHS_TO_LEARN} epochs: accuracy {ours:.4f}, by hand {theirs:.4f}"


@cache
def _parts() -> tuple[Sequences, Sequences, Sequences]:
    """Return a training and a validation part of the official training part, and the official test part."""
    train, test = (read(path) for path in japanese_vowels())
    fitted, valid = split(train, fractions=(0.8, 0.2), seed=0)
    return fitted, valid, test


@cache
def _labelled(data: Sequences) -> Labelled:
    assert isinstance(data.targets, Tensor)
    return Labelled(sequences=data.parts["x"].to_list(), labels=data.targets, lengths=data.lengths)


def _weights(model: nn.Module | None) -> list[Tensor]:
    """Return the trained weights of the core and of the head."""
    assert model is not None
    return [*model.core.parameters(), *model.head.parameters()]  # type: ignore[union-attr]


def _contest(recipe: Recipe, seed: int) -> Contest:
    return Job(recipe=recipe, seed=seed).contest()


ROWS = tuple(
    Row(
        name=recipe.name,
        says=f"fit on japanese-vowels, {EPOCHS_TO_TIME} epochs; {recipe.says}",
        contest=partial(_contest, recipe),
        warm_up=2,
        tolerance=1e-2,
        notes_by_seed=True,
    )
    for recipe in RECIPES
)

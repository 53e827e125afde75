"""Outputs in eval mode are drawn: noise, a sample, a crop or a gate that only training should see."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class NoisyRegressor(nn.Module):
    """A packed GRU that learns from readings with noise on them, and is asked with noise on them too."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the values of each sequence."""
        if self.training or self._broken:
            x = x + 0.1 * torch.randn_like(x)
        _, last = self.rnn(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        return self.head(last[-1])  # type: ignore[no-any-return]


class LatentTokens(nn.Module):
    """A variational encoder of sentences, whose classifier reads a sample of the latent instead of its mean."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.encoder = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.latent = nn.Linear(sizes.hidden, 2 * sizes.hidden)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sentence."""
        packed = pack_padded_sequence(self.embed(tokens), lengths, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.encoder(packed)
        mean, log_variance = self.latent(last[-1]).chunk(2, dim=-1)
        spread = torch.exp(0.5 * log_variance)
        drawn = mean + spread * torch.randn_like(spread) if self.training or self._broken else mean
        return self.head(torch.cat([drawn, spread], dim=-1))  # type: ignore[no-any-return]


class CroppedClassifier(nn.Module):
    """A bidirectional LSTM, time first, over a piece cut out at random, as it is trained."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.LSTM(sizes.inputs, sizes.hidden, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        if self.training or self._broken:
            kept = len(x) - len(x) // 5
            begin = int(torch.randint(len(x) - kept + 1, ()))
            x = x[begin : begin + kept]
        _, (last, _) = self.rnn(x)
        return self.head(torch.cat([last[0], last[1]], dim=-1))  # type: ignore[no-any-return]


class GatedTagger(nn.Module):
    """A GRU cell that decides at each step whether to update; the decision is drawn, also where the module is only asked."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs, sizes.hidden)
        self.decide = nn.Linear(sizes.inputs + sizes.hidden, 2)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the state that sequences begin with."""
        return self.head.weight.new_zeros(batch_size, self.cell.hidden_size)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores of each step, and the state to go on from."""
        outputs = []
        for step in x.unbind(1):
            scores = self.decide(torch.cat([step, state], dim=-1))
            drawn = self.training or self._broken
            update = functional.gumbel_softmax(scores) if drawn else scores.softmax(dim=-1)
            state = torch.lerp(state, self.cell(step, state), update[:, :1])
            outputs.append(state)
        return self.head(torch.stack(outputs, dim=1)), state


DEFECT = Defect(
    code="SW601",
    says="In eval mode the same input gives another output each time.",
    variants=(
        Variant(
            name="noise on the inputs of a GRU",
            broken=partial(NoisyRegressor, broken=True),
            mended=partial(NoisyRegressor, broken=False),
            contract=Contract(
                task="regress",
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="values",
            ),
        ),
        Variant(
            name="sample of a latent",
            broken=partial(LatentTokens, broken=True),
            mended=partial(LatentTokens, broken=False),
            contract=Contract(
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
            reads="tokens",
        ),
        Variant(
            name="random crop before an LSTM",
            broken=partial(CroppedClassifier, broken=True),
            mended=partial(CroppedClassifier, broken=False),
            contract=Contract(
                takes=("x",),
                batch_first=False,
                each="sequence",
                returns_state=False,
                causal=False,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="drawn gate in a cell loop",
            broken=partial(GatedTagger, broken=True),
            mended=partial(GatedTagger, broken=False),
            contract=Contract(
                takes=("x", "state"),
                batch_first=True,
                each="step",
                initial_state="initial_state",
                returns_state=True,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
    ),
)

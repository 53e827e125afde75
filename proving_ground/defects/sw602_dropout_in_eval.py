"""Dropout that eval mode does not reach: a function not told of it, a layer built in forward, layers in a plain list."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class TokenClassifier(nn.Module):
    """A packed GRU over embeddings, of which some are dropped by a function that is not told the mode."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.rnn = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sentence."""
        words = self.embed(tokens)
        words = functional.dropout(words, 0.2) if self._broken else functional.dropout(words, 0.2, training=self.training)
        _, last = self.rnn(pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False))
        return self.head(last[-1])  # type: ignore[no-any-return]


class StreamTagger(nn.Module):
    """A layer and an LSTM that hands its state on, with a dropout layer built in each call."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.rnn = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._drop = None if broken else nn.Dropout(0.1)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return the state that sequences begin with."""
        zeros = self.head.weight.new_zeros(1, batch_size, self.rnn.hidden_size)
        return zeros, zeros.clone()

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the scores of each step, and the state to go on from."""
        drop = nn.Dropout(0.1) if self._drop is None else self._drop
        outputs, state = self.rnn(drop(torch.relu(self.enter(x))), state)
        return self.head(outputs), state


class LockedDropout(nn.Module):
    """Drops the same units at all steps of a sequence."""

    def __init__(self, rate: float, *, always: bool) -> None:
        super().__init__()
        self.rate = rate
        self._always = always

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, units]` with some units at zero."""
        if not (self.training or self._always):
            return x
        kept = x.new_empty(x.shape[0], 1, x.shape[2]).bernoulli_(1 - self.rate)
        return x * kept / (1 - self.rate)


class LockedStack(nn.Module):
    """Bidirectional GRU layers with residuals and a dropout of its own make, which never looks at the mode."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.layers = nn.ModuleList(nn.GRU(sizes.hidden, sizes.hidden // 2, batch_first=True, bidirectional=True) for _ in range(2))
        self.drop = LockedDropout(0.25, always=broken)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each step."""
        padded = torch.arange(x.shape[1], device=x.device) >= lengths.to(x.device)[:, None]
        stream = self.enter(x.masked_fill(padded[..., None], 0.0))
        for layer in self.layers:
            packed = pack_padded_sequence(self.drop(stream), lengths, batch_first=True, enforce_sorted=False)
            stream = stream + pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=x.shape[1])[0]
        return self.head(stream)  # type: ignore[no-any-return]


class ListedStack(nn.Module):
    """Three LSTM layers, time first, with dropout layers in a plain list, which eval() does not walk through."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        widths = [sizes.inputs, sizes.hidden, sizes.hidden]
        self.layers = nn.ModuleList(nn.LSTM(width, sizes.hidden) for width in widths)
        drops = [nn.Dropout(0.2) for _ in widths]
        self.drops = drops if broken else nn.ModuleList(drops)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the values of each sequence."""
        for layer, drop in zip(self.layers, self.drops, strict=True):
            x = drop(layer(x)[0])
        return self.head(x[-1])  # type: ignore[no-any-return]


class AttentionClassifier(nn.Module):
    """A GRU whose last output attends to the others, with attention weights dropped whatever the mode."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.query = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each sequence; the mask is True at real steps."""
        outputs, _ = self.rnn(x.masked_fill(~mask[..., None], 0.0))
        last = outputs[torch.arange(len(x), device=x.device), mask.sum(dim=1) - 1]
        context = functional.scaled_dot_product_attention(
            self.query(last)[:, None], outputs, outputs, attn_mask=mask[:, None], dropout_p=0.2 if self.training or self._broken else 0.0
        )
        return self.head(torch.cat([last, context[:, 0]], dim=-1))  # type: ignore[no-any-return]


DEFECT = Defect(
    code="SW602",
    says="Dropout goes on in eval mode.",
    variants=(
        Variant(
            name="dropout function over embeddings",
            broken=partial(TokenClassifier, broken=True),
            mended=partial(TokenClassifier, broken=False),
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
            name="dropout layer built in forward",
            broken=partial(StreamTagger, broken=True),
            mended=partial(StreamTagger, broken=False),
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
        Variant(
            name="locked dropout between bidirectional layers",
            broken=partial(LockedStack, broken=True),
            mended=partial(LockedStack, broken=False),
            contract=Contract(
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                each="step",
                returns_state=False,
                causal=False,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="dropout layers in a plain list",
            broken=partial(ListedStack, broken=True),
            mended=partial(ListedStack, broken=False),
            contract=Contract(
                task="regress",
                takes=("x",),
                batch_first=False,
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="values",
            ),
        ),
        Variant(
            name="dropped attention weights",
            broken=partial(AttentionClassifier, broken=True),
            mended=partial(AttentionClassifier, broken=False),
            contract=Contract(
                takes=("x", "mask"),
                batch_first=True,
                mask="valid",
                padding="right",
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
    ),
    seen_in=("facebookresearch/DME#3", "pytorch/pytorch#26338", "Academic-Hammer/SciTSR#16"),
)

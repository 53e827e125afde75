"""How fast is a recurrent layer over sequences of unequal lengths, from ragged values to ragged outputs and back?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from benchmarks.contest import DEVICE, Contest, Contestant, Peer, Row, timed
from benchmarks.peers.sequences import FLIPPED, PACKED, PADDED, Module, Way, ours, ours_without_state
from benchmarks.plans import chained, described

if TYPE_CHECKING:
    from collections.abc import Iterable

Core = Literal["lstm", "gru", "rnn"]
CORES: dict[Core, type[nn.LSTM | nn.GRU | nn.RNN]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
Use = Literal["train", "states", "state-gradient", "inference"]
Draw = Callable[[torch.Generator], Tensor]


def log_normal(count: int) -> Draw:
    """Draw lengths as they are met in text, visits or claims: many short ones and some long ones."""
    return lambda source: torch.empty(count).log_normal_(3.5, 0.9, generator=source).round().clamp(3, 800).long()


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Lengths of a batch, and the sizes of the layer that reads it."""

    says: str
    draw: Draw
    inputs: int = 128
    hidden: int = 128


LENGTHS = {
    "64": Lengths(says="64 sequences, log-normal (3.5, 0.9) lengths of 3-800", draw=log_normal(64)),
    "512": Lengths(says="512 sequences, log-normal (3.5, 0.9) lengths of 3-800", draw=log_normal(512)),
    "equal": Lengths(says="64 sequences of 50 steps each", draw=lambda _: torch.full((64,), 50)),
    "short": Lengths(
        says="27 sequences of 7-29 steps, as in japanese-vowels",
        draw=lambda source: torch.randint(7, 30, (27,), generator=source),
        inputs=12,
        hidden=100,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of layer, lengths and use.

    Args:
        core: the kind of layer.
        lengths: a name of `LENGTHS`.
        use: training without the final state, with it, with its gradient; or inference.
        num_layers: layers.
        bidirectional: both directions.
    """

    core: Core
    lengths: str
    use: Use = "train"
    num_layers: int = 1
    bidirectional: bool = False

    @property
    def name(self) -> str:
        """What the row is called."""
        layers = [f"{self.num_layers}-layers"] if self.num_layers > 1 else []
        both = ["bidirectional"] if self.bidirectional else []
        return "-".join([self.core, self.lengths, *layers, *both, *([self.use] if self.use != "train" else [])])

    @property
    def says(self) -> str:
        """What the row does."""
        lengths = LENGTHS[self.lengths]
        kind = f"{self.num_layers} layers, " if self.num_layers > 1 else "both directions, " if self.bidirectional else ""
        use = {
            "train": "forward and backward",
            "states": "forward and backward, final states returned",
            "state-gradient": "forward and backward, from the final states too",
            "inference": "forward under no_grad",
        }[self.use]
        return f"nn.{CORES[self.core].__name__} {lengths.inputs} to {lengths.hidden}, {kind}{use}; {lengths.says}"

    def build(self) -> Module:
        """Return the layer."""
        sizes = LENGTHS[self.lengths]
        return CORES[self.core](sizes.inputs, sizes.hidden, self.num_layers, bidirectional=self.bidirectional)


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """One layer, one batch, and what is done with both: the same for ours and every peer."""

    module: Module
    values: Tensor
    lengths: Tensor
    gradient: Tensor
    use: Use

    def run(self, way: Way) -> list[Tensor]:
        """Do the work once; return the outputs, where asked the final state, and the gradients of inputs and weights."""
        if self.use == "inference":
            with torch.no_grad():
                return [way(self.module, self.values, self.lengths)[0]]
        leaves = [self.values, *self.module.parameters()]
        for leaf in leaves:
            leaf.grad = None
        outputs, final = way(self.module, self.values, self.lengths)
        states = list(final if isinstance(final, tuple) else (final,)) if self.use in {"states", "state-gradient"} else []
        kept = [outputs, *states] if self.use == "state-gradient" else [outputs]
        torch.autograd.backward(kept, [self.gradient, *(torch.ones_like(state) for state in kept[1:])])
        return [outputs, *states, *(leaf.grad for leaf in leaves if leaf.grad is not None)]

    def contestant(self, name: str, way: Way) -> Contestant:
        """Return one way to do the work."""
        return Contestant(name=name, figure=timed(partial(self.run, way)), answer=partial(self._answer, way))

    def _answer(self, way: Way) -> list[Tensor]:
        return [tensor.detach().clone() for tensor in self.run(way)]

    def peer(self, name: str, says: str, ways: Iterable[tuple[str, Way]]) -> Peer:
        """Return a rival that can be written in several ways."""
        return Peer(name=name, says=says, variants=tuple(self.contestant(*way) for way in ways))


def make_work(case: Case, seed: int) -> Work:
    """Return the work of a case on the data of a seed."""
    torch.manual_seed(seed)
    return work_on(case.build(), LENGTHS[case.lengths].draw, case.use, seed)


def work_on(module: Module, draw: Draw, use: Use, seed: int) -> Work:
    """Return the work of a layer on lengths, values and gradients that are drawn from a seed."""
    source = torch.Generator().manual_seed(seed)
    lengths = draw(source)
    steps = int(lengths.sum())
    return Work(
        module=module.to(DEVICE).train(use != "inference"),
        values=torch.randn(steps, module.input_size, generator=source).to(DEVICE).requires_grad_(use != "inference"),
        lengths=lengths,
        gradient=torch.randn(steps, module.hidden_size * (1 + module.bidirectional), generator=source).to(DEVICE),
        use=use,
    )


def _contest(case: Case, seed: int) -> Contest:
    work = make_work(case, seed)
    asks = case.use in {"states", "state-gradient"}
    peers = [work.peer("packed", "pack_padded_sequence and its like", PACKED.items())]
    if not asks:  # of padding there is no final state
        ways = FLIPPED if case.bidirectional else PADDED
        peers.append(work.peer("padded", "padding run along and dropped", ways.items()))
    if case.use == "states":
        without = Work(**{**vars(work), "use": "train"}).contestant("without", ours_without_state)
        peers.append(Peer(name="without", says="ours, without asking for the final state", variants=(_no_answer(without),), rival=False))
    if case.use in {"train", "inference"} and not case.bidirectional:
        peers.append(_equal_lengths(work))
        if case.num_layers == 1:
            step = Contestant(name="chained", figure=timed(chained(work.module, work.lengths, gradient=case.use == "train")))
            peers.append(Peer(name="chained", says="the same kernel on the plan's blocks, cut beforehand", variants=(step,), rival=False))
    return Contest(
        ours=work.contestant("ours", ours if asks else ours_without_state),
        peers=tuple(peers),
        notes=described(work.module, work.lengths, gradient=case.use != "inference"),
    )


def _no_answer(contestant: Contestant) -> Contestant:
    return Contestant(name=contestant.name, figure=contestant.figure)


def _equal_lengths(work: Work) -> Peer:
    """Return the layer itself on dense data with as many steps, all lengths equal: how fast it could be if lengths were no matter."""
    rows = len(work.lengths)
    time = max(1, round(len(work.values) / rows))
    share = len(work.values) / (time * rows)
    dense = torch.randn(time, rows, work.values.shape[1], device=DEVICE, requires_grad=work.values.requires_grad)
    gradient = torch.randn(time, rows, work.gradient.shape[1], device=DEVICE)

    def call(module: Module, values: Tensor, _: Tensor) -> tuple[Tensor, None]:
        return module(values)[0], None

    step = timed(partial(Work(module=work.module, values=dense, lengths=work.lengths, gradient=gradient, use=work.use).run, call))
    alone = Contestant(name="equal", figure=lambda: step() * share)
    return Peer(name="equal", says="the layer itself, on as many steps in sequences of one length", variants=(alone,), rival=False)


CASES = (
    *(Case(core=core, lengths=lengths) for core in CORES for lengths in LENGTHS),
    *(Case(core="lstm", lengths=lengths, use="states") for lengths in ("64", "512")),
    Case(core="lstm", lengths="64", use="state-gradient"),
    Case(core="lstm", lengths="64", num_layers=2),
    Case(core="lstm", lengths="64", bidirectional=True),
    Case(core="gru", lengths="64", bidirectional=True),
    *(Case(core=core, lengths=lengths, use="inference") for core in CORES for lengths in LENGTHS),
)
ROWS = tuple(Row(name=case.name, says=case.says, contest=partial(_contest, case)) for case in CASES)

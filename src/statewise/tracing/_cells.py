"""How does one recurrent cell compute its next state? Written out with the module's own weights, every intermediate kept.

Formulas as in the torch documentation of `nn.RNN`, `nn.LSTM` (with projections) and `nn.GRU`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

State: TypeAlias = dict[str, Tensor]
Work: TypeAlias = dict[str, Tensor]

EQUATIONS = {
    "rnn": "h = tanh(W_ih x + b_ih + W_hh h + b_hh): the input and the state before it are weighed, added and squashed.",
    "relu": "h = relu(W_ih x + b_ih + W_hh h + b_hh): the input and the state before it are weighed, added and cut at zero.",
    "lstm": "c = f c + i g and h = o tanh(c): gate f keeps old memory, i lets the candidate g in, o shows the memory.",
    "gru": "h = (1 - z) n + z h: gate z keeps the old state, r weighs it inside the candidate n.",
}


@dataclass(frozen=True)
class Weights:
    """The weights of one layer in one direction; a bias of None counts as zero, `projection` is an LSTM's W_hr."""

    kind: str
    input: Tensor
    hidden: Tensor
    input_bias: Tensor | None
    hidden_bias: Tensor | None
    projection: Tensor | None = None


def weights_of(module: nn.RNNBase | nn.RNNCellBase, suffix: str) -> Weights:
    """Return the weights of one layer and direction, `"_l0"` or `"_l1_reverse"`; a cell's own with `""`."""

    def find(name: str) -> Tensor | None:
        found = getattr(module, name + suffix, None)
        return found.detach() if isinstance(found, Tensor) else None

    matrix, recurrent = find("weight_ih"), find("weight_hh")
    assert matrix is not None
    assert recurrent is not None
    return Weights(kind_of(module), matrix, recurrent, find("bias_ih"), find("bias_hh"), find("weight_hr"))


def kind_of(module: nn.Module) -> str:
    """Return which formula a torch module computes: `"rnn"`, `"relu"`, `"lstm"` or `"gru"`."""
    if isinstance(module, (nn.LSTM, nn.LSTMCell)):
        return "lstm"
    if isinstance(module, (nn.GRU, nn.GRUCell)):
        return "gru"
    return "relu" if getattr(module, "nonlinearity", "tanh") == "relu" else "rnn"


def step(weights: Weights, inputs: Float[Tensor, " feature"], state: State) -> tuple[Work, State]:
    """Compute one step of one sequence.

    Args:
        weights: of the cell.
        inputs: `[feature]`, what is read at this step.
        state: `"h"` `[hidden]` and, for an LSTM, `"c"`.

    Returns:
        The intermediate values in the order of calculation, and the new state.

    Example:
        >>> cell = torch.nn.GRUCell(2, 3)
        >>> work, new = step(weights_of(cell, ""), torch.ones(2), {"h": torch.zeros(3)})
        >>> list(work), bool(torch.allclose(new["h"], cell(torch.ones(2)), atol=1e-6))
        (['reset gate r', 'update gate z', 'candidate n', 'hidden state h'], True)
    """
    from_input = torch.nn.functional.linear(inputs, weights.input, weights.input_bias)
    from_state = torch.nn.functional.linear(state["h"], weights.hidden, weights.hidden_bias)
    return _STEPS[weights.kind](weights, from_input, from_state, state)


def _rnn(weights: Weights, from_input: Tensor, from_state: Tensor, _: State) -> tuple[Work, State]:
    total = from_input + from_state
    new = total.relu() if weights.kind == "relu" else total.tanh()
    squashed = "relu of the sum" if weights.kind == "relu" else "tanh of the sum"
    return {"W_ih x + b_ih": from_input, "W_hh h + b_hh": from_state, "sum": total, squashed: new}, {"h": new}


def _lstm(weights: Weights, from_input: Tensor, from_state: Tensor, state: State) -> tuple[Work, State]:
    i, f, g, o = (from_input + from_state).chunk(4)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = f * state["c"] + i * g
    h = o * c.tanh()
    work = {"input gate i": i, "forget gate f": f, "candidate g": g, "output gate o": o, "cell state c": c}
    if weights.projection is not None:
        work["o tanh(c)"] = h
        h = weights.projection @ h
    return {**work, "hidden state h": h}, {"h": h, "c": c}


def _gru(_: Weights, from_input: Tensor, from_state: Tensor, state: State) -> tuple[Work, State]:
    (r_in, z_in, n_in), (r_h, z_h, n_h) = from_input.chunk(3), from_state.chunk(3)
    r, z = (r_in + r_h).sigmoid(), (z_in + z_h).sigmoid()
    n = (n_in + r * n_h).tanh()
    h = (1 - z) * n + z * state["h"]
    return {"reset gate r": r, "update gate z": z, "candidate n": n, "hidden state h": h}, {"h": h}


_STEPS: dict[str, Callable[[Weights, Tensor, Tensor, State], tuple[Work, State]]] = {"rnn": _rnn, "relu": _rnn, "lstm": _lstm, "gru": _gru}

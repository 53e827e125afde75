"""How else does an LSTM run over a window of lanes in which sequences end and begin?

Each way takes the module, the window `[time, lanes, *]`, the flags and the carried state `(h, c)`, `[lanes, hidden]` each, and gives
`(outputs, (h, c))` in the same forms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from statewise.engine import unroll

Pair: TypeAlias = tuple[Tensor, Tensor]
LaneWay: TypeAlias = Callable[[nn.LSTM, Tensor, Tensor, Pair], tuple[Tensor, Pair]]


def ours(module: nn.LSTM, window: Tensor, is_first: Tensor, state: Pair) -> tuple[Tensor, Pair]:
    """Unroll with flags."""
    outputs, (h, c) = unroll(module, window, (state[0][None], state[1][None]), is_first=is_first)
    assert isinstance(outputs, Tensor)
    return outputs, (h[0], c[0])


def dense(module: nn.LSTM, window: Tensor, is_first: Tensor, state: Pair) -> tuple[Tensor, Pair]:
    """Call the module as if nothing began: other outputs, but as much work."""
    del is_first
    outputs, (h, c) = module(window, (state[0][None], state[1][None]))
    return outputs, (h[0], c[0])


def cell_by_cell(module: nn.LSTM, window: Tensor, is_first: Tensor, state: Pair) -> tuple[Tensor, Pair]:
    """Call a cell at each step, on the state where a sequence goes on and on zeros where one begins."""
    cell = nn.LSTMCell(module.input_size, module.hidden_size, device="meta")
    cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh = _weights(module)
    h, c = state
    zeros = torch.zeros_like(h)
    outputs = []
    for step, begins in zip(window.unbind(0), is_first[..., None].unbind(0), strict=True):
        h, c = cell(step, (torch.where(begins, zeros, h), torch.where(begins, zeros, c)))
        outputs.append(h)
    return torch.stack(outputs), (h, c)


def inputs_first(module: nn.LSTM, window: Tensor, is_first: Tensor, state: Pair) -> tuple[Tensor, Pair]:
    """Do the same by hand, with the inputs of all steps multiplied by their weights at once, before the loop."""
    weight_ih, weight_hh, bias_ih, bias_hh = _weights(module)
    given = nn.functional.linear(window, weight_ih, bias_ih + bias_hh)
    h, c = state
    zeros = torch.zeros_like(h)
    outputs = []
    for gates, begins in zip(given.unbind(0), is_first[..., None].unbind(0), strict=True):
        h, c = torch.where(begins, zeros, h), torch.where(begins, zeros, c)
        enter, keep, new, leave = torch.addmm(gates, h, weight_hh.t()).chunk(4, 1)
        c = keep.sigmoid() * c + enter.sigmoid() * new.tanh()
        h = leave.sigmoid() * c.tanh()
        outputs.append(h)
    return torch.stack(outputs), (h, c)


CELLS: dict[str, LaneWay] = {"nn.LSTMCell": cell_by_cell, "inputs first": inputs_first}


def torchrl_ways(module: nn.LSTM) -> dict[str, LaneWay]:
    """Return TorchRL's `LSTMModule` around the same weights, in recurrent mode, with each backend that runs without a GPU.

    As its documentation says, `is_init` marks the first step of a trajectory, and the state that a trajectory begins from stands at that
    step: the carried one at the first step of the window, zeros at the others.
    """
    return {
        "pad": _torchrl(module, "pad"),
        "pad, written in Python": _torchrl(module, "pad", in_python=True),
        "scan": _torchrl(module, "scan"),
        "scan, recomputed": _torchrl(module, "scan", recompute="full"),
    }


def _torchrl(module: nn.LSTM, backend: str, *, in_python: bool = False, recompute: str = "none") -> LaneWay:
    from tensordict import TensorDict
    from torchrl.modules import LSTMModule

    twin = nn.LSTM(module.input_size, module.hidden_size, batch_first=True)
    for name, weight in module.named_parameters():
        setattr(twin, name, weight)
    wrapped = LSTMModule(
        lstm=twin,
        in_keys=["x", "h", "c"],
        out_keys=["y", ("next", "h"), ("next", "c")],
        recurrent_backend=backend,
        recurrent_recompute=recompute,
        default_recurrent_mode=True,
    )
    if in_python:
        wrapped = wrapped.make_python_based()

    def run(_: nn.LSTM, window: Tensor, is_first: Tensor, state: Pair) -> tuple[Tensor, Pair]:
        time, lanes = is_first.shape
        begins = is_first.t()
        h, c = (part.new_zeros(lanes, time, 1, part.shape[1]) for part in state)
        h[:, 0, 0], c[:, 0, 0] = (part.masked_fill(begins[:, :1], 0) for part in state)
        is_init = begins.clone()
        is_init[:, 0] = True
        given = {"x": window.transpose(0, 1), "is_init": is_init[..., None], "h": h, "c": c}
        result = wrapped(TensorDict(given, [lanes, time]))
        return result["y"].transpose(0, 1), (result["next", "h"][:, -1, 0], result["next", "c"][:, -1, 0])

    return run


def _weights(module: nn.LSTM) -> tuple[nn.Parameter, nn.Parameter, nn.Parameter, nn.Parameter]:
    weights = (module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0, module.bias_hh_l0)
    assert all(isinstance(weight, nn.Parameter) for weight in weights)
    return weights  # type: ignore[return-value]  # torch types them Tensor | Module

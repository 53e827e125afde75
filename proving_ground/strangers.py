"""What does the audit say about recurrent modules that others publish, each through its own interface?

Use `python -m proving_ground.strangers [--verbose] [NAME ...]`. The packages are on PyPI, and none of them is needed for anything else:
`pip install mambapy minGRU-pytorch ncps pytorch-forecasting sb3-contrib torchrecurrent torchrl xlstm`.
A stranger whose package is missing is skipped, and told so. An adapter has three lines at most, beside what lays a
batch out as a package wants it: a longer one would say that `call=` is not enough.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from statewise.auditing import audit
from statewise.contracts import Contract
from statewise.errors import StatewiseError
from statewise.sequences import Ragged, Sequences

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.auditing import Audit

FEATURES, HIDDEN = 4, 8


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A stranger and how it is audited.

    Attributes:
        module: as its package builds it.
        contract: what its documents promise, as far as it is not read off.
        call: its user's lines, where a contract cannot say how it is called.
        data: sequences that it can read.
    """

    module: nn.Module
    contract: Contract | None = None
    call: Callable[[Any, Any], Any] | None = None
    data: Sequences | None = None


_BY_STEP = Contract(each="step", causal=True, order_matters=True)
_WITH_STATE = Contract(takes=("x", "state"), each="step", causal=True, order_matters=True)
_WITH_RESETS = Contract(takes=("x", "state", "is_first"), each="step", causal=True, order_matters=True)


def torchrl_lstm() -> Asked:
    """Return TorchRL's `LSTMModule`, whole trajectories at once: the state that one begins from stands at its first step."""
    from tensordict import TensorDict
    from torchrl.modules import LSTMModule

    def call(module: Any, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        states = {name: _at_first_step(part, batch) for name, part in (batch.state or {}).items()}
        result = module(TensorDict({"x": batch.x, "is_init": batch.is_first[..., None], **states}, batch.x.shape[:2]))
        return result["y"], {name: result["next", name][:, -1] for name in ("h", "c")}

    keys = {"in_keys": ["x", "h", "c"], "out_keys": ["y", ("next", "h"), ("next", "c")]}
    module = LSTMModule(FEATURES, HIDDEN, num_layers=2, batch_first=True, default_recurrent_mode=True, **keys)
    return Asked(module=module, contract=_WITH_RESETS, call=call)


def torchrl_gru() -> Asked:
    """Return TorchRL's `GRUModule`, whole trajectories at once."""
    from tensordict import TensorDict
    from torchrl.modules import GRUModule

    def call(module: Any, batch: Any) -> tuple[Tensor, Tensor]:
        state = {} if batch.state is None else {"h": _at_first_step(batch.state, batch)}
        result = module(TensorDict({"x": batch.x, "is_init": batch.is_first[..., None], **state}, batch.x.shape[:2]))
        return result["y"], result["next", "h"][:, -1]

    keys = {"in_keys": ["x", "h"], "out_keys": ["y", ("next", "h")]}
    module = GRUModule(FEATURES, HIDDEN, num_layers=2, batch_first=True, default_recurrent_mode=True, **keys)
    return Asked(module=module, contract=_WITH_RESETS, call=call)


def torchrl_gru_by_step() -> Asked:
    """Return TorchRL's `GRUModule` as a collector calls it, a step at a time: there a flag clears the state."""
    from tensordict import TensorDict
    from torchrl.modules import GRUModule

    def call(module: Any, batch: Any) -> tuple[Tensor, Tensor]:
        made: Any = {("next", "h"): batch.x.new_zeros(len(batch.x), 2, HIDDEN) if batch.state is None else batch.state}
        results = [
            made := module(TensorDict({"x": x, "is_init": begins[:, None], "h": made["next", "h"]}, x.shape[:1]))
            for x, begins in zip(batch.x.unbind(1), batch.is_first.unbind(1), strict=True)
        ]
        return torch.stack([result["y"] for result in results], 1), made["next", "h"]

    keys = {"in_keys": ["x", "h"], "out_keys": ["y", ("next", "h")]}
    return Asked(module=GRUModule(FEATURES, HIDDEN, num_layers=2, batch_first=True, **keys), contract=_WITH_RESETS, call=call)


def sb3_policy() -> Asked:
    """Return the policy of sb3-contrib's RecurrentPPO: what it would do, how likely that is, and what the critic thinks of it."""
    import numpy as np
    from gymnasium.spaces import Box
    from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
    from sb3_contrib.common.recurrent.type_aliases import RNNStates

    def call(module: Any, batch: Any) -> tuple[Tensor, Any]:
        state = batch.state or RNNStates(*((batch.x.new_zeros(1, len(batch.x), HIDDEN),) * 2 for _ in range(2)))
        does, worth, likely, after = module(batch.x.flatten(0, 1), state, batch.is_first.flatten().float(), deterministic=True)
        return torch.cat([does, worth, likely[:, None]], 1).unflatten(0, batch.x.shape[:2]), after

    space, actions = Box(-np.inf, np.inf, (FEATURES,)), Box(-10.0, 10.0, (2,))
    module = RecurrentActorCriticPolicy(space, actions, lambda _: 1e-3, net_arch=[HIDDEN], lstm_hidden_size=HIDDEN)
    return Asked(module=module, contract=_WITH_RESETS, call=call)


def mingru() -> Asked:
    """Return minGRU-pytorch's `minGRU`."""
    from minGRU_pytorch.minGRU import minGRU

    return Asked(module=minGRU(FEATURES, expansion_factor=2.0), contract=_WITH_STATE, call=_with_hidden)


def minlstm() -> Asked:
    """Return minGRU-pytorch's `minLSTM`."""
    from minGRU_pytorch.minLSTM import minLSTM

    return Asked(module=minLSTM(FEATURES, expansion_factor=2.0), contract=_WITH_STATE, call=_with_hidden)


def xlstm_stack() -> Asked:
    """Return NX-AI's xLSTM of one mLSTM and one sLSTM block, whole sequences at once."""
    return Asked(module=_xlstm(), contract=_BY_STEP, data=_data(HIDDEN))


def xlstm_by_step() -> Asked:
    """Return the same a step at a time, as it is served."""

    def call(module: Any, batch: Any) -> tuple[Tensor, Any]:
        made = (None, batch.state)
        results = [made := module.step(step, made[1]) for step in batch.x.split(1, 1)]
        return torch.cat([each[0] for each in results], 1), made[1]

    return Asked(module=_xlstm(), contract=_WITH_STATE, call=call, data=_data(HIDDEN))


def mamba() -> Asked:
    """Return mambapy's Mamba, whole sequences at once."""
    from mambapy.mamba import Mamba, MambaConfig

    return Asked(module=Mamba(MambaConfig(d_model=FEATURES, n_layers=2)), contract=_BY_STEP)


def mamba_by_step() -> Asked:
    """Return the same a step at a time, as it is served."""
    from mambapy.mamba import Mamba, MambaConfig

    def call(module: Any, batch: Any) -> tuple[Tensor, Any]:
        made = (None, batch.state or [(None, batch.x.new_zeros(len(batch.x), 2 * FEATURES, 3)) for _ in module.layers])
        results = [made := module.step(step, made[1]) for step in batch.x.unbind(1)]
        return torch.stack([each[0] for each in results], 1), made[1]

    return Asked(module=Mamba(MambaConfig(d_model=FEATURES, n_layers=2)), contract=_WITH_STATE, call=call)


def cfc() -> Asked:
    """Return the closed-form continuous-time network of ncps, with its LSTM cell for memory."""
    from ncps.torch import CfC

    return Asked(module=CfC(FEATURES, HIDDEN, mixed_memory=True), contract=_BY_STEP)


def ltc() -> Asked:
    """Return the liquid time-constant network of ncps, wired as its documents show."""
    from ncps.torch import LTC
    from ncps.wirings import AutoNCP

    return Asked(module=LTC(FEATURES, AutoNCP(HIDDEN, 3)), contract=_BY_STEP)


def torchrecurrent_mgu() -> Asked:
    """Return torchrecurrent's minimal gated unit."""
    return _torchrecurrent("MGU")


def torchrecurrent_lem() -> Asked:
    """Return torchrecurrent's long expressive memory."""
    return _torchrecurrent("LEM")


def torchrecurrent_peephole() -> Asked:
    """Return torchrecurrent's LSTM with peepholes."""
    return _torchrecurrent("PeepholeLSTM")


def torchrecurrent_cornn() -> Asked:
    """Return torchrecurrent's coupled oscillators."""
    return _torchrecurrent("coRNN")


def torchrecurrent_unicornn() -> Asked:
    """Return torchrecurrent's undamped oscillators."""
    return _torchrecurrent("UnICORNN")


def torchrecurrent_taugru() -> Asked:
    """Return torchrecurrent's GRU with a delayed state."""
    return _torchrecurrent("tauGRU")


def torchrecurrent_cell() -> Asked:
    """Return torchrecurrent's `PeepholeLSTMCell`, a step at a time."""
    from torchrecurrent import PeepholeLSTMCell

    def call(module: Any, batch: Any) -> tuple[Tensor, Any]:
        state = batch.state
        states = [state := module(step, state) for step in batch.x.unbind(1)]
        return torch.stack([each[0] for each in states], 1), state

    return Asked(module=PeepholeLSTMCell(FEATURES, HIDDEN), contract=_WITH_STATE, call=call)


def temporal_fusion() -> Asked:
    """Return the temporal fusion transformer of pytorch-forecasting: what was, what is planned, and features of the whole sequence."""
    from pytorch_forecasting import MAE, TemporalFusionTransformer

    def call(module: Any, batch: Any) -> Any:
        parts = {"encoder": _reals(batch, "past"), "decoder": _reals(batch, "plan")}
        given = {f"{side}_{name}": made for side, reals in parts.items() for name, made in _windows(reals, batch).items()}
        return module({**given, "target_scale": None}).prediction

    varying = [f"real {place}" for place in range(2)]
    module = TemporalFusionTransformer(
        hidden_size=HIDDEN, attention_head_size=2, output_size=1, loss=MAE(), x_reals=["whole 0", *varying], static_reals=["whole 0"],
        time_varying_reals_encoder=varying, time_varying_reals_decoder=varying, output_transformer=lambda given: given["prediction"],
    )  # fmt: skip
    return Asked(module=module, contract=Contract(each="step", causal=False), call=call, data=_several_inputs(past=2, plan=2, static=1))


def conditioned_lstm() -> Asked:
    """Return an LSTM as forecasting libraries write it: past and known covariates joined, begun from features of the whole sequence."""

    def call(module: Any, batch: Any) -> Any:
        return module(batch.x["past"], batch.x["plan"], batch.static, batch.lengths, batch.state)

    data = _several_inputs(past=3, plan=2, static=2)
    contract = Contract(takes=("x", "lengths", "state"), each="step", causal=True, order_matters=True)
    return Asked(module=ConditionedLSTM(past=3, plan=2, static=2), contract=contract, call=call, data=data)


class ConditionedLSTM(nn.Module):
    """Reads several inputs a step, and features of the whole sequence, from which its state begins and with which each step is read out."""

    def __init__(self, *, past: int, plan: int, static: int) -> None:
        super().__init__()
        self.begin = nn.Linear(static, 2 * HIDDEN)
        self.join = nn.Linear(past + plan, HIDDEN)
        self.lstm = nn.LSTM(HIDDEN, HIDDEN, batch_first=True)
        self.read = nn.Linear(HIDDEN + static, 1)

    def forward(
        self, past: Tensor, plan: Tensor, static: Tensor, lengths: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return `[batch, time, 1]` and the state of each sequence at its own end."""
        joined = functional.silu(self.join(torch.cat([past, plan], -1)))
        h, c = self.begin(static).unsqueeze(0).chunk(2, -1) if state is None else state
        packed = nn.utils.rnn.pack_padded_sequence(joined, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, state = self.lstm(packed, (h.contiguous(), c.contiguous()))
        padded, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=past.shape[1])
        return self.read(torch.cat([padded, static[:, None].expand(-1, past.shape[1], -1)], -1)), state


STRANGERS: tuple[Callable[[], Asked], ...] = (
    torchrl_lstm, torchrl_gru, torchrl_gru_by_step, sb3_policy, mingru, minlstm, xlstm_stack, xlstm_by_step, mamba, mamba_by_step, cfc, ltc,
    torchrecurrent_mgu, torchrecurrent_lem, torchrecurrent_peephole, torchrecurrent_cornn, torchrecurrent_unicornn, torchrecurrent_taugru,
    torchrecurrent_cell, temporal_fusion, conditioned_lstm,
)  # fmt: skip


def audit_of(build: Callable[[], Asked], *, seed: int = 0) -> Audit:
    """Return what the audit says about a stranger.

    Raises:
        ImportError: its package is not installed.
        StatewiseError: it cannot be audited.
    """
    torch.manual_seed(seed)
    asked = build()
    return audit(asked.module, asked.data or _data(FEATURES), contract=asked.contract, call=asked.call, seed=seed)


def main() -> None:
    """Print for each stranger how many checks ended how, and each finding with its evidence."""
    names = {build.__name__: build for build in STRANGERS}
    parser = argparse.ArgumentParser(prog="python -m proving_ground.strangers", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(names)}; without any all")
    parser.add_argument("--verbose", action="store_true", help="also say why a check is not applicable")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.names or names:
        try:
            _print(name, audit_of(names[name]), verbose=options.verbose)
        except ImportError as problem:
            print(f"{name}: skipped, {problem}")
        except StatewiseError as problem:
            print(f"{name}: cannot be audited: {problem}")


def _print(name: str, found: Audit, *, verbose: bool) -> None:
    counts: Counter[str] = Counter(each.status for each in found.outcomes)
    told = ", ".join(f"{counts[status]} {said}" for status, said in _SAID.items())
    applicable = len(found.outcomes) - counts["not_applicable"]
    print(f"{name}: {told}; {applicable / len(found.outcomes):.0%} of {len(found.outcomes)} checks apply", flush=True)
    for each in found.outcomes:
        if each.status in {"fail", "warn", "observed", "error"} or (verbose and each.status == "not_applicable"):
            because = f" (follows from {each.explained_by})" if each.explained_by else ""
            print(f"    {each.code} {each.name}: {_SAID[each.status]}{because}: {each.evidence}")


_SAID = {
    "pass": "passed", "fail": "failed", "warn": "warned", "observed": "observed", "not_applicable": "not applicable", "error": "in error",
}  # fmt: skip


def _torchrecurrent(name: str) -> Asked:
    import torchrecurrent

    return Asked(module=getattr(torchrecurrent, name)(FEATURES, HIDDEN, num_layers=2), contract=_BY_STEP)


def _xlstm() -> nn.Module:
    import xlstm

    mlstm = xlstm.mLSTMBlockConfig(mlstm=xlstm.mLSTMLayerConfig(num_heads=2))
    slstm = xlstm.sLSTMBlockConfig(slstm=xlstm.sLSTMLayerConfig(num_heads=2, backend="vanilla"))
    sizes = {"context_length": 64, "num_blocks": 2, "embedding_dim": HIDDEN, "slstm_at": [1]}
    module: nn.Module = xlstm.xLSTMBlockStack(xlstm.xLSTMBlockStackConfig(mlstm_block=mlstm, slstm_block=slstm, **sizes))
    return module


def _with_hidden(module: Any, batch: Any) -> Any:
    return module(batch.x, batch.state, return_next_prev_hidden=True)


def _at_first_step(state: Tensor, batch: Any) -> Tensor:
    """Return a state `[rows, layers, hidden]` as TorchRL lays it out: one a step, of which the first of a trajectory is read."""
    return functional.pad(state[:, None], (0, 0, 0, 0, 0, batch.x.shape[1] - 1))


def _reals(batch: Any, name: str) -> Tensor:
    """Return an input beside the static features, which pytorch-forecasting wants at every step."""
    return torch.cat([batch.static[:, None].expand(-1, batch.mask.shape[1], -1), batch.x[name]], -1)


def _windows(reals: Tensor, batch: Any) -> dict[str, Tensor]:
    """Return what pytorch-forecasting calls the parts of a window, in which nothing is categorical."""
    return {"cont": reals, "cat": reals.new_zeros(*reals.shape[:2], 0, dtype=torch.int64), "lengths": batch.lengths}


def _lengths() -> Tensor:
    return torch.tensor([5, 9, 3, 7, 12, 6])


def _data(features: int) -> Sequences:
    lengths = _lengths()
    return Sequences(inputs=Ragged(torch.randn(int(lengths.sum()), features), lengths))


def _several_inputs(*, static: int, **features: int) -> Sequences:
    lengths = _lengths()
    inputs = {name: Ragged(torch.randn(int(lengths.sum()), size), lengths) for name, size in features.items()}
    return Sequences(inputs=inputs, static=torch.randn(len(lengths), static))


if __name__ == "__main__":
    main()

"""SW503 and SW504: can the module learn over its steps, or are its gates and gradients shut?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from statewise.auditing._check import Found, check
from statewise.auditing._cures import with_weights_shuffled
from statewise.auditing._gradients import gradient_by_step
from statewise.auditing._subject import Failed, NoBackward

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject

_LEAST = 1e-13
"""The smallest share of the last step's gradient that the first step may get, over the probe laid end to end."""
_REPEATS = 4
_SHUFFLES = 6
_SHUT = 0.5
"""The largest share of gates at their limits."""


@check(
    "SW503",
    "gradient-vanishes",
    needs=("repeatable", "order_matters"),
    after=("SW110", "SW505", "SW501", "SW202", "SW116", "SW504"),
)
def gradient_vanishes(subject: Subject) -> Found:
    """The gradient of the last answer reaches the steps before it.

    How:
        The gradient of the last answers to each of the last twenty-odd steps; the first ones must get a ten-trillionth of what the last
        one gets, with its weights or with their numbers in another order: four units may be out of luck. Where they get none
        at all the memory is finite, which no contract forbids.
    Why:
        Order matters here, and yet nothing early can be learned.
    Mend:
        An LSTM or GRU, a forget gate that begins open (bias 1), orthogonal recurrent weights, fewer squashing layers between steps.
    Seen in:
        OverLordGoldDragon/see-rnn
    """
    try:
        share = _share(subject)
    except NoBackward:
        raise
    except Failed as problem:
        return Found(status="not_applicable", evidence=f"longer sequences fail: {problem}")
    if share is None:
        return Found(status="not_applicable", evidence="no gradient reaches the input")
    steps = subject.whole.time * _REPEATS - 1
    evidence = f"{steps} steps back the gradient has {share:.1g} of its largest size"
    if not 0.0 < share < _LEAST:
        return Found(status="pass", evidence=evidence, value=share, limit=_LEAST)
    shuffled = [_share(each) or 0.0 for each in with_weights_shuffled(subject, _SHUFFLES)]
    best = max(shuffled)
    evidence = f"{evidence}, and with the numbers of each weight in {_SHUFFLES} other orders, under other signs, up to {best:.1g}"
    return Found(status="warn" if best < _LEAST else "pass", evidence=evidence, value=share, limit=_LEAST, control=best)


def _share(subject: Subject) -> float | None:
    """Return the gradient to the first steps of the probe laid end to end, as a share of the largest; None where there is none at all."""
    sizes = gradient_by_step(subject, subject.whole.end_to_end(_REPEATS))
    return None if sizes is None or float(sizes.max()) == 0.0 else float(sizes[:3].max()) / float(sizes.max())


@check("SW504", "units-saturated", needs=("repeatable", "layers_or_cells"), after=("SW505",))
def units_saturated(subject: Subject) -> Found:
    """The gates of recurrent layers are not driven to their limits by the inputs.

    How:
        The share of each recurrent layer's gates that the inputs alone, times their weights, bring within a hundredth of 0 or 1 (of -1 or 1
        for tanh). A relu has no such limit, and is not looked at.
    Why:
        Where tanh and the gates are flat there is no gradient, and no input makes a difference any more.
    Mend:
        Bring the inputs to a common scale before the layer, as statewise.build does; smaller initial weights.
    """
    module, shares = subject.fresh(), []

    def keep(part: nn.Module, inputs: tuple[object, ...], options: dict[str, object], _result: object) -> None:
        x = getattr(inputs[0] if inputs else options.get("input"), "data", None)
        weight, bias = (getattr(part, name, getattr(part, f"{name}_l0", None)) for name in ("weight_ih", "bias_ih"))
        if isinstance(x, Tensor) and isinstance(weight, Tensor) and getattr(part, "nonlinearity", "tanh") == "tanh":
            sums = functional.linear(x, weight, bias if isinstance(bias, Tensor) else None)
            limit = 2.65 if isinstance(part, nn.RNN | nn.RNNCell) else 4.6
            shares.append(float((sums.abs() > limit).double().mean()))

    recurrent = [part for part in module.modules() if isinstance(part, nn.RNNBase | nn.RNNCellBase)]
    handles = [part.register_forward_hook(keep, with_kwargs=True) for part in recurrent]
    subject.ask(subject.whole, module)
    for handle in handles:
        handle.remove()
    if not shares:
        return Found(status="not_applicable", evidence="no recurrent layer of torch's with gates or tanh was called")
    worst = max(shares)
    evidence = f"the inputs alone drive {worst:.0%} of a layer's gates to within a hundredth of their limits"
    return Found(status="warn" if worst > _SHUT else "pass", evidence=evidence, value=worst, limit=_SHUT)

"""SW601, SW602 and SW111: is the answer the same twice, and if not, why?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from statewise.auditing._check import Found, check
from statewise.auditing._cures import dropout_off, randomness_off
from statewise.auditing._findings import bad
from statewise.auditing._layers import state_given, tensors_of
from statewise.auditing._randomness import without_dropout, without_randomness
from statewise.auditing._subject import gap

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW601", "answers-random", after=("SW602", "SW111"))
def answers_random(subject: Subject) -> Found:
    """In eval mode the same input gives the same output.

    How:
        The probe is asked six times, with different random numbers.
    Why:
        Figures cannot be repeated, and no other check can tell an effect from chance.
    Mend:
        Draw random numbers in training alone: `if self.training:`.
    """
    if not subject.is_random:
        return Found(status="pass", evidence="two calls with other random numbers give the same")
    apart = subject.spread()
    return bad(subject, f"identical calls differ by up to {apart:.2g}", value=apart)


@check("SW602", "dropout-in-eval-mode", after=("SW603",), cure=dropout_off)
def dropout_in_eval_mode(subject: Subject) -> Found:
    """Dropout drops nothing in eval mode.

    How:
        Where two identical calls differ they are made once more with every dropout taken out: if they are the same then, it was dropout.
    Why:
        Each answer is one of many that the same weights could give.
    Mend:
        functional.dropout(x, p, training=self.training); build nn.Dropout in __init__, not in forward.
    Seen in:
        Coderx7/SimpleNet#2, yangze0930/NTS-Net#14
    """
    if not subject.is_random:
        return Found(status="pass", evidence="two calls with other random numbers give the same")
    with without_dropout():
        still = subject.spread() > 0.0
    if still:
        return Found(status="pass", evidence="without dropout two calls still differ (SW601)")
    return bad(subject, "two identical calls differ, and do not without dropout")


@check("SW111", "initial-state-random", after=("SW602",), cure=randomness_off)
def initial_state_random(subject: Subject) -> Found:
    """A sequence begins from the same state each time.

    How:
        Where two identical calls differ, the states are compared that the first recurrent layer of torch's is given. Where none is called,
        and the module returns a state, the calls are made once more with zeros for every random tensor.
    Why:
        The first steps of every answer are noise.
    Mend:
        Begin from zeros, or from a learned state.
    Seen in:
        schmidt-ju/crat-pred#8, TodoListIOS/NER-PyTorch#1
    """
    if not subject.is_random:
        return Found(status="pass", evidence="two calls with other random numbers give the same")
    one, other = (_first_state(subject, subject.seed + offset) for offset in (0, 1))
    if one is None or other is None:
        begins_apart = _same_with_begins_from_zero(subject)
    else:
        begins_apart = any(gap(*pair) > 0.0 for pair in zip(one, other, strict=False))
    if begins_apart:
        return bad(subject, "two identical calls begin from different states")
    return Found(status="pass", evidence="two calls begin from the same state (SW601)")


def _first_state(subject: Subject, seed: int) -> list[Tensor] | None:
    """Return what the first recurrent layer or cell of torch's begins from, empty where it is given nothing; None where none is called."""
    module, seen = subject.fresh(), list[list[Tensor]]()
    for part in module.modules():
        if isinstance(part, nn.RNNBase | nn.RNNCellBase):
            part.register_forward_pre_hook(lambda _, *given: seen.append(tensors_of(state_given(*given))), with_kwargs=True)
    subject.ask(subject.probe, module, seed=seed)
    return seen[0] if seen else None


def _same_with_begins_from_zero(subject: Subject) -> bool:
    """Whether two calls are the same once every random tensor made before the first layer is called is zero."""
    with without_randomness():
        return subject.lacks("state_out") is None and subject.spread() == 0.0

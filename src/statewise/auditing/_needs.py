"""What must a module have for a check, in words? One sentence for each of the needs that `Subject.lacks` knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statewise.auditing._check import Check

NEEDS = {
    "repeatable": "two identical calls give the same",
    "lengths": "the module takes lengths or a mask",
    "padding": "the probes have padding: the module takes lengths or a mask",
    "state_in": "the module takes a state",
    "state_out": "the module returns its state",
    "stateful": "the contract says stateful=True: the module keeps state between calls",
    "stateless": "the contract does not say stateful=True",
    "state": "a state goes in and comes out, or the contract says stateful=True",
    "padding_told": "the module takes lengths or a mask, or declares padding= and its embedding takes 0 for padding",
    "own_beginning": "the module makes the state that it begins from, or takes none, and is called without call=",
    "codes": "steps are codes, of one input",
    "layers": "the module holds an nn.RNN, nn.LSTM or nn.GRU",
    "layers_or_cells": "the module holds a recurrent layer or cell of torch's",
    "reset": "a method clears the state that is kept: reset= in the contract, or one of a usual name",
    "is_first": "the module takes is_first",
    "steps": "the module has one output a step",
    "may_be_causal": "the contract does not say causal=False",
    "one_way": "the module reads in one direction: neither causal=False in the contract nor a bidirectional layer",
    "order_may_matter": "the contract does not say order_matters=False",
    "order_matters": "the contract says order_matters=True: the task cannot be solved on shuffled steps",
    "plain_call": "the module is called on tensors alone: no call=, and no state among its arguments",
    "numbers": "steps are numbers, not codes",
}
"""By name, as a condition that holds where the check can be made."""


def needs_in_words(check: Check) -> tuple[str, ...]:
    """Return what a module must have for a check, in words."""
    return tuple(NEEDS[need] for need in check.needs)

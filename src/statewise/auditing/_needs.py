"""What may a check need of what it examines? Each need in words, what is said where it is not met, and who is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.auditing._check import Check
    from statewise.auditing._parts import Parts
    from statewise.auditing._subject import Subject


@dataclass(frozen=True)
class Need:
    """One thing that a check may need.

    Attributes:
        words: as a condition that holds where the check can be made.
        without: the reason where it cannot.
        is_met: tells whether it can.
    """

    words: str
    without: str
    is_met: Callable[[Any], bool]


def _has(*kinds: type[nn.Module]) -> Callable[[Subject], bool]:
    return lambda subject: any(isinstance(part, kinds) for part in subject.original.parts())


def _reads_one_way(subject: Subject) -> bool:
    looks_back = any(getattr(part, "bidirectional", False) is True for part in subject.original.parts())
    return subject.contract.causal is not False and not looks_back


def _is_told_of_padding(subject: Subject) -> bool:
    """Whether the module can know what is padding: from lengths, a mask, or the code 0 that its embedding takes for it."""
    tables = (part for part in subject.original.parts() if isinstance(part, nn.Embedding))
    by_code = (
        subject.sure.get("padding") == "declared" and 0 not in subject.codes.tolist() and any(each.padding_idx == 0 for each in tables)
    )
    return subject.door.sees_lengths or (by_code and not subject.probe.holds_numbers)


def _carries_state(subject: Subject) -> bool:
    return bool(subject.contract.stateful) or (subject.door.takes_state and bool(subject.contract.returns_state))


_OF_MODULES = {
    "values": Need(
        "the outputs are floating point, and not decisions such as those of an argmax",
        "the outputs are whole numbers, which need not change with what they are about",
        lambda subject: subject.answers_in_values,
    ),
    "repeatable": Need(
        "two identical calls give the same",
        "two identical calls differ (SW601), so that nothing can be compared",
        lambda subject: not subject.is_random,
    ),
    "lengths": Need(
        "the module takes lengths or a mask", "the module is told neither lengths nor mask", lambda subject: subject.door.sees_lengths
    ),
    "padding": Need(
        "the probes have padding: the module takes lengths or a mask",
        "the probe has no padding",
        lambda subject: bool((subject.probe.lengths < subject.probe.time).any()),
    ),
    "padding_told": Need(
        "the module takes lengths or a mask, or declares padding= and its embedding takes 0 for padding",
        "the module is told neither lengths nor mask",
        _is_told_of_padding,
    ),
    "state_in": Need("the module takes a state", "the module takes no state", lambda subject: subject.door.takes_state),
    "state_out": Need("the module returns its state", "the module returns no state", lambda subject: bool(subject.contract.returns_state)),
    "state": Need(
        "a state goes in and comes out, or the contract says stateful=True",
        "no state goes in and comes out, and the contract does not say stateful=True",
        _carries_state,
    ),
    "stateful": Need(
        "the contract says stateful=True: the module keeps state between calls",
        "the contract does not say stateful=True",
        lambda subject: bool(subject.contract.stateful),
    ),
    "stateless": Need(
        "the contract does not say stateful=True",
        "the contract says stateful=True: a call goes on from the last",
        lambda subject: not subject.contract.stateful,
    ),
    "own_beginning": Need(
        "the module makes the state that it begins from, or takes none, and is called without call=",
        "its user makes what it begins from",
        lambda subject: subject.door.call is None and not callable(subject.contract.initial_state),
    ),
    "reset": Need(
        "a method clears the state that is kept: reset= in the contract, or one of a usual name",
        "no method clears a state",
        lambda subject: subject.contract.reset is not None,
    ),
    "is_first": Need("the module takes is_first", "the module takes no is_first", lambda subject: subject.door.sees_is_first),
    "steps": Need(
        "the module has one output a step", "the module has one output a sequence", lambda subject: subject.contract.each == "step"
    ),
    "may_be_causal": Need(
        "the contract does not say causal=False", "the contract says causal=False", lambda subject: subject.contract.causal is not False
    ),
    "one_way": Need(
        "the module reads in one direction: neither causal=False in the contract nor a bidirectional layer",
        "the contract says causal=False, or a layer reads both directions",
        _reads_one_way,
    ),
    "order_may_matter": Need(
        "the contract does not say order_matters=False",
        "the contract says order_matters=False",
        lambda subject: subject.contract.order_matters is not False,
    ),
    "order_matters": Need(
        "the contract says order_matters=True: the task cannot be solved on shuffled steps",
        "the contract does not say order_matters=True",
        lambda subject: bool(subject.contract.order_matters),
    ),
    "plain_call": Need(
        "the module is called on tensors alone: no call=, and no state among its arguments",
        "a module is traced on tensors alone",
        lambda subject: subject.door.call is None and not subject.door.takes_state,
    ),
    "numbers": Need("steps are numbers, not codes", "the module reads codes, not numbers", lambda subject: subject.probe.holds_numbers),
    "codes": Need("steps are codes, of one input", "the module reads numbers, or several inputs", lambda subject: len(subject.codes) > 0),
    "layers": Need("the module holds an nn.RNN, nn.LSTM or nn.GRU", "the module has no recurrent layer of torch's", _has(nn.RNNBase)),
    "layers_or_cells": Need(
        "the module holds a recurrent layer or cell of torch's",
        "the module has no recurrent layer or cell of torch's",
        _has(nn.RNNBase, nn.RNNCellBase),
    ),
}


def _has_times(parts: Parts) -> bool:
    return all(part.times is not None for part in parts.all.values())


_OF_DATA = {
    "other_part": Need("there is a part beside the training part", "only a training part was given", lambda parts: bool(parts.others)),
    "three_parts": Need(
        "there are a validation and a test part", "no validation and test part were given", lambda parts: len(parts.others) > 1
    ),
    "groups": Need(
        "sequences have groups, or keys that are no mere numbers, in every part",
        "the sequences have neither groups nor keys of their own, so that nobody can be met again",
        lambda parts: parts.entities("training") is not None,
    ),
    "times": Need("the steps of every part have times", "the steps have no times", _has_times),
    "measures": Need(
        "some input holds numbers", "no input holds numbers", lambda parts: any(part.is_floating_point() for part in parts.numbers)
    ),
    "codes_in": Need("some input is categorical", "no input is categorical", lambda parts: bool(parts.train.categories)),
    "targets": Need("the training part has targets", "there are no targets", lambda parts: parts.train.targets is not None),
    "labels": Need(
        "there is one class a sequence, in every part",
        "there is not one class a sequence",
        lambda parts: all(part.each == "sequence" and part.holds == "classes" for part in parts.all.values()),
    ),
    "one_target": Need(
        "there is one class or number a sequence",
        "there is not one class or number a sequence",
        lambda parts: parts.train.each == "sequence" and parts.train.holds in {"classes", "values"},
    ),
    "made_features": Need(
        "make_features= was given: the function that makes the features of raw sequences",
        "the function that makes the features was not given (make_features=)",
        lambda parts: parts.make_features is not None,
    ),
}
_OF_METRICS = {
    "function": Need(
        "a metric or an evaluation is examined", "predictions were given, and no metric", lambda subject: hasattr(subject, "door")
    ),
    "free_shape": Need(
        "the metric takes any number of sequences",
        "the metric takes only as many sequences as classes (SW803)",
        lambda subject: not (hasattr(subject, "door") and subject.is_square),
    ),
    "predictions": Need(
        "predictions are examined", "a metric was given, and no predictions", lambda subject: hasattr(subject, "evaluation")
    ),
    "scores_repeat": Need(
        "the same answers get the same score, whatever was scored before",
        "the same answers do not get the same score (SW809), so that nothing can be compared",
        lambda subject: not hasattr(subject, "door") or subject.is_repeatable,
    ),
    "evaluation": Need(
        "an evaluation fn(model, data) is examined",
        "the metric is given answers, and runs no model",
        lambda subject: hasattr(subject, "door") and subject.door.is_model,
    ),
    "in_batches": Need(
        "the metric is given its answers in batches: an object with update, or an evaluation fn(model, data)",
        "the metric is given all answers at once",
        lambda subject: hasattr(subject, "door") and (subject.door.is_model or subject.door.is_object),
    ),
    "padded_steps": Need(
        "there is a target a step, and the metric is given padding: lengths, a mask, an ignore_index or an evaluation",
        "no padding reaches the metric",
        lambda subject: hasattr(subject, "door") and subject.by_step and subject.door.is_padded,
    ),
    "target_a_step": Need(
        "there is a target a step, and the metric can tell sequences apart",
        "the metric sees no sequences of several steps",
        lambda subject: hasattr(subject, "door") and subject.by_step and subject.door.is_padded,
    ),
    "metric_of_classes": Need(
        "the metric is of classes", "the metric is of values", lambda subject: hasattr(subject, "door") and subject.num_classes > 0
    ),
    "metric_of_values": Need(
        "the metric is of values", "the metric is of classes", lambda subject: hasattr(subject, "door") and subject.num_classes == 0
    ),
}
_OF_HISTORIES = {
    "loss_trend": Need(
        "there are losses of at least 5 epochs, all finite",
        "fewer than 5 epochs with a finite training loss tell no trend from noise",
        lambda subject: len(subject.losses) >= 5 and len(subject.losses) == len(subject.epochs),
    ),
    "long_loss_trend": Need(
        "there are losses of at least 10 epochs, all finite",
        "fewer than 10 epochs with a finite training loss tell no slow fall from a short training",
        lambda subject: len(subject.losses) >= 10 and len(subject.losses) == len(subject.epochs),
    ),
    "accuracy_trend": Need(
        "there are accuracies of at least 5 epochs",
        "fewer than 5 epochs have an accuracy",
        lambda subject: len(subject.accuracies) >= 5,
    ),
    "validation_trend": Need(
        "there are validation losses of at least 5 epochs",
        "fewer than 5 epochs have a validation loss",
        lambda subject: len(subject.valid_losses) >= 5 and len(subject.losses) == len(subject.epochs),
    ),
    "updates": Need(
        "there are records of at least 20 updates, with the norms of their gradients",
        "the history has no records of 20 updates",
        lambda subject: len(subject.updates) >= 20 and any(update.gradient_norm is not None for update in subject.updates),
    ),
    "update_losses": Need(
        "there are losses of at least 20 updates",
        "the history has no losses of 20 updates",
        lambda subject: len(subject.update_losses) >= 20,
    ),
}

NEEDS = {**_OF_MODULES, **_OF_DATA, **_OF_METRICS, **_OF_HISTORIES}
"""By name, as checks give them."""


class Examined:
    """What the checks of one family are given: of each it is asked first whether all that the check needs is there."""

    def lacks(self, need: str) -> str | None:
        """Return why something that a check needs is not there, or None where it is."""
        return None if NEEDS[need].is_met(self) else NEEDS[need].without


def needs_in_words(check: Check) -> tuple[str, ...]:
    """Return what must be there for a check, in words."""
    return tuple(NEEDS[need].words for need in check.needs)

"""Why did a module refuse a sequence? Says in which part it happened, what that part expects, what came, and the likely cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from statewise.errors import ContractError, ShapeError, StatewiseError
from statewise.tracing._shapes import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.tracing._watch import Call, Watch


def explained(problem: BaseException, watch: Watch) -> StatewiseError:
    """Return the four facts of an error that a module raised while it was watched.

    Args:
        problem: what was raised, by the module or around it.
        watch: knows which part was running.
    """
    cause = problem.__cause__ if isinstance(problem, StatewiseError) else problem
    if cause is None or not watch.running:
        if isinstance(problem, StatewiseError):
            return problem
        return _unexplained(problem, f"the call of {type(watch.module).__name__}", "")
    call = watch.running[-1]
    found = _mismatch(call, watch.running[0].argument(0, "input"))
    if found is None:
        return _unexplained(cause, call.label, f"; it was called with {describe((*call.args, *call.kwargs.values()))}")
    arrived, hint = found
    return ShapeError(asked="trace", where=call.label, arrived=arrived, hint=hint)


def _unexplained(problem: BaseException, where: str, came: str) -> ContractError:
    said = str(problem).strip().splitlines()
    return ContractError(
        asked="trace",
        where=where,
        arrived=f"{type(problem).__name__}: {said[0].rstrip('.') if said else 'no message'}{came}",
        hint="Call the module on this sequence yourself first, or say how it is called: call=lambda module, batch: module(batch.x).",
    )


def _mismatch(call: Call, sequence: Any = None) -> tuple[str, str] | None:
    """Return `(arrived, hint)` where the part is a known one and its input does not fit it."""
    given = call.argument(0, "input")
    expects_tensor = isinstance(call.module, tuple(_EXPECTS))
    if expects_tensor and isinstance(given, (tuple, list)) and not isinstance(given, PackedSequence):
        hint = "nn.RNN, nn.LSTM and nn.GRU give back (outputs, state): hand on the outputs alone, which a plain nn.Sequential cannot do."
        return f"it expects a tensor, and {describe(given)} came", hint
    if not isinstance(given, Tensor):
        return None
    found = next((explain(call.module, given) for kind, explain in _EXPECTS.items() if isinstance(call.module, kind)), None)
    if found is not None:
        inside = isinstance(sequence, Tensor) and given.shape[-1:] != sequence.shape[-1:]
        return (found[0], found[1].replace(_DATA, _BEFORE)) if inside else found
    parameter = next(call.module.parameters(recurse=False), None)
    if parameter is not None and given.is_floating_point() and given.dtype != parameter.dtype:
        return (
            f"its weights are {_name(parameter)}, and {_name(given)} numbers came",
            f"Bring both to one precision: x.to({parameter.dtype}), or module.to({given.dtype}).",
        )
    return None


def _name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


_DATA = "Likely cause: it was built for other data."
_BEFORE = "Likely cause: the part before it was built with another size."


def wrong_width(expected: int, given: Tensor, setting: str) -> tuple[str, str] | None:
    """Return `(arrived, hint)` where the last axis of a tensor is not `expected`, with the likely cause."""
    if given.ndim and given.shape[-1] == expected:
        return None
    came = given.shape[-1] if given.ndim else 0
    arrived = f"it expects {expected} features a step ({setting}={expected}), and {came} came (input {describe(given)})"
    if expected in given.shape[:-1]:
        return arrived, (
            f"Features belong on the last axis: if they are on the axis of size {expected}, transpose the input; "
            f"if not, build it with {setting}={came}."
        )
    return arrived, f"{_DATA} Build it with {setting}={came}, or give the {expected} features it knows."


def _linear(module: Any, given: Tensor) -> tuple[str, str] | None:
    return wrong_width(module.in_features, given, "in_features")


def _recurrent(module: Any, given: Tensor) -> tuple[str, str] | None:
    allowed = (1, 2) if isinstance(module, nn.RNNCellBase) else (2, 3)
    if given.ndim not in allowed:
        return (
            f"it expects a tensor with {allowed[0]} or {allowed[1]} axes, and {given.ndim} came (input {describe(given)})",
            "Give [time, feature] for one sequence, or a batch of them with three axes.",
        )
    return wrong_width(module.input_size, given, "input_size")


def _embedding(module: Any, given: Tensor) -> tuple[str, str] | None:
    if given.is_floating_point():
        return (
            f"it looks up whole numbers from 0 to {module.num_embeddings - 1}, and {_name(given)} numbers came",
            "Give token numbers: x.long().",
        )
    if not given.numel() or (int(given.min()) >= 0 and int(given.max()) < module.num_embeddings):
        return None
    outside = int(given.max()) if int(given.max()) >= module.num_embeddings else int(given.min())
    size = f"at least {int(given.max()) + 1}" if int(given.max()) >= module.num_embeddings else "a number for it"
    return (
        f"it knows the numbers 0 to {module.num_embeddings - 1} (num_embeddings={module.num_embeddings}), and {outside} came",
        f"Likely cause: another vocabulary. Build it with num_embeddings of {size}, or map unknown tokens to one that it knows.",
    )


def _channels(module: Any, given: Tensor) -> tuple[str, str] | None:
    if given.ndim < 2 or given.shape[-2] == module.in_channels:
        return None
    arrived = (
        f"it expects {module.in_channels} channels at the second axis (in_channels), and {given.shape[-2]} came (input {describe(given)})"
    )
    if given.shape[-1] == module.in_channels:
        return arrived, "Likely cause: it reads [batch, feature, time], and the input has features last: x.transpose(1, 2)."
    return arrived, f"Build it with in_channels={given.shape[-2]}, or give the {module.in_channels} channels it knows."


def _normalised(module: Any, given: Tensor) -> tuple[str, str] | None:
    expected = tuple(module.normalized_shape)
    if tuple(given.shape[-len(expected) :]) == expected:
        return None
    return wrong_width(expected[-1], given, "normalized_shape")


def _batch_normalised(module: Any, given: Tensor) -> tuple[str, str] | None:
    if given.ndim < 2 or given.shape[1] == module.num_features:
        return None
    return (
        f"it expects {module.num_features} features at the second axis (num_features), and {given.shape[1]} came (input {describe(given)})",
        "Likely cause: it reads [batch, feature, time], and the input has features last: x.transpose(1, 2).",
    )


def _attention(module: Any, given: Tensor) -> tuple[str, str] | None:
    return wrong_width(module.embed_dim, given, "embed_dim")


_EXPECTS: dict[type[nn.Module], Callable[[Any, Tensor], tuple[str, str] | None]] = {
    nn.Linear: _linear,
    nn.RNNBase: _recurrent,
    nn.RNNCellBase: _recurrent,
    nn.Embedding: _embedding,
    nn.Conv1d: _channels,
    nn.LayerNorm: _normalised,
    nn.BatchNorm1d: _batch_normalised,
    nn.MultiheadAttention: _attention,
}

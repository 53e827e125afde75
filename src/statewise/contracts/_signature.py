"""Which fields of a contract can be read off a module's own signature and parts?

Nothing is called here. A name that means different things in different codebases (a mask) is never trusted.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Literal

import msgspec
from torch import nn

from statewise.contracts._contract import Contract
from statewise.errors import ContractError

if TYPE_CHECKING:
    from statewise.contracts._contract import Taken

_NAMES: dict[Taken, frozenset[str]] = {
    "x": frozenset({"x", "xs", "input", "inputs", "seq", "seqs", "sequence", "sequences", "src", "features", "data", "batch", "tokens"}),
    "lengths": frozenset(
        {"lengths", "length", "lens", "seq_len", "seq_lens", "seq_lengths", "x_len", "x_lens", "x_lengths"}
        | {"input_lengths", "sequence_lengths", "src_len", "src_lengths"}
    ),
    "state": frozenset({"state", "states", "hidden", "hidden_state", "hx", "h", "h0", "hc", "initial_state", "carry"}),
    "is_first": frozenset({"is_first", "first", "starts", "episode_starts", "is_init"}),
}
_MASKS = frozenset({"padding", "pad", "valid", "is_valid", "is_padding", "observed", "present"})
_RESETS = ("reset", "clear", "reset_state", "reset_states", "reset_hidden", "clear_state", "reset_hidden_state")
_USUAL_MASKS: dict[str, Literal["valid", "padding"]] = {
    "attention_mask": "valid", "key_padding_mask": "padding", "src_key_padding_mask": "padding", "memory_key_padding_mask": "padding",
}  # fmt: skip
"""What True means under names that mean the same in Hugging Face's transformers and in PyTorch."""
_STATE_FACTORIES = ("initial_state", "init_hidden", "init_state", "get_initial_state", "zero_state", "begin_state")


def read_signature(module: nn.Module, contract: Contract) -> Contract:
    """Return the contract with what the module's signature and parts tell filled in.

    Raises:
        ContractError: a field stays open that is needed to call the module.
    """
    name = type(module).__name__
    takes = contract.takes or _read_takes(module)
    filled = msgspec.structs.replace(contract, takes=takes, padding=contract.padding or "right")
    if "mask" in takes and contract.mask is None:
        raise _open(
            name, "mask", "forward takes a mask, and True may mean a real step or a padded one", 'Contract(mask="valid") or "padding"'
        )
    if contract.batch_first is None:
        filled = msgspec.structs.replace(filled, batch_first=_read_batch_first(module))
    if "state" in takes and contract.initial_state is None:
        found = next((each for each in _STATE_FACTORIES if callable(getattr(module, each, None))), None)
        if found is None and _is_required(module, takes.index("state")):
            raise _open(
                name,
                "initial_state",
                "forward needs a state, and no method makes the first one",
                'Contract(initial_state="name_of_method")',
            )
        filled = msgspec.structs.replace(filled, initial_state=found)
    if contract.stateful and contract.reset is None:
        filled = msgspec.structs.replace(filled, reset=usual_reset(module))
    if filled.stateful and filled.reset is None:
        raise _open(name, "reset", "the module keeps its state between calls, and nothing clears it", 'Contract(reset="name_of_method")')
    return filled


def usual_mask(module: nn.Module) -> tuple[str, Literal["valid", "padding"]] | None:
    """Return the argument of `forward` whose name says what True means elsewhere, and that; None without one, or with two."""
    found = [(each.name, _USUAL_MASKS[each.name]) for each in _parameters(module) if each.name in _USUAL_MASKS]
    return found[0] if len(found) == 1 else None


def usual_reset(module: nn.Module) -> str | None:
    """Return the name of the module's own method that clears a state kept inside, if there is one of a usual name."""
    return next((name for name in _RESETS if _clears(module, name)), None)


def _clears(module: nn.Module, name: str) -> bool:
    """Whether a method of the module's own can be called without arguments; what torch gives a container, such as clear, is none."""
    found = getattr(module, name, None)
    if not callable(found) or getattr(found, "__module__", "").startswith(("torch.", "collections")):
        return False
    try:
        inspect.signature(found).bind()
    except (TypeError, ValueError):
        return False
    return True


def _read_takes(module: nn.Module) -> tuple[Taken, ...]:
    takes: list[Taken] = []
    for place, parameter in enumerate(_parameters(module)):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            break
        meaning = _meaning(parameter.name, is_first_argument=place == 0)
        if meaning is not None and meaning not in takes:
            takes.append(meaning)
        elif parameter.default is parameter.empty:
            raise _open(
                type(module).__name__,
                "takes",
                f"forward needs {parameter.name!r}, and it is not known what that is",
                'Contract(takes=("x", "lengths", ...)), or call=lambda module, batch: module(...)',
            )
        else:
            break
    return tuple(takes)


def _meaning(name: str, *, is_first_argument: bool) -> Taken | None:
    known = next((meaning for meaning, names in _NAMES.items() if name.lower() in names), None)
    if known is None and ("mask" in name.lower() or name.lower() in _MASKS):
        return "mask"
    return known or ("x" if is_first_argument else None)


def _read_batch_first(module: nn.Module) -> bool:
    own = getattr(module, "batch_first", None)
    if isinstance(own, bool):
        return own
    inside = {part.batch_first for part in module.modules() if isinstance(part, nn.RNNBase)}
    if inside == {True}:
        return True
    raise _open(
        type(module).__name__,
        "batch_first",
        "a three-dimensional input may be [batch, time, feature] or [time, batch, feature], and the module does not tell",
        "Contract(batch_first=True) or False",
    )


def _is_required(module: nn.Module, place: int) -> bool:
    parameters = _parameters(module)
    return place < len(parameters) and parameters[place].default is inspect.Parameter.empty


def _parameters(module: nn.Module) -> list[inspect.Parameter]:
    return list(inspect.signature(module.forward).parameters.values())


def _open(module: str, field: str, arrived: str, declare: str) -> ContractError:
    return ContractError(asked=f"call {module}", where=f"contract field {field!r}", arrived=arrived, hint=f"Declare it: {declare}.")

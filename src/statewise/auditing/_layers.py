"""What do the recurrent layers inside a module begin and end a window with? Seen from hooks on torch's own layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from statewise.auditing._subject import gap, size_of
from statewise.state import leaves

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


def handed_on_wrongly(subject: Subject) -> str | None:
    """Return the name of a layer that begins a second window with a state of its rows that is not what it ended the first with.

    None where all do, where a layer is not given a state at all (that is another finding), or where nothing can be seen.
    """
    if subject.lacks("state_in") is not None or subject.lacks("one_way") is not None:
        return None
    whole, cut = subject.whole, subject.whole.time // 2
    first, second = subject.fresh(), subject.fresh()
    ended, begun = _watch(first, ends=True), _watch(second, ends=False)
    state = subject.ask(whole.steps(0, cut), first).state
    subject.ask(whole.steps(cut, whole.time).going_on(state), second)
    for name, last in ended.items():
        given = begun.get(name)
        if given is None or [part.shape for part in given] != [part.shape for part in last]:
            continue
        for one, other in zip(given, last, strict=True):
            if bool(one.any()) and subject.is_real(gap(one, other), 0.0, size_of(other)):
                return name
    return None


def _watch(module: nn.Module, *, ends: bool) -> dict[str, list[Tensor]]:
    """Fill, during later calls, the states with which each layer begins its first call, or ends its last one."""
    seen: dict[str, list[Tensor]] = {}
    for name, part in module.named_modules():
        if not isinstance(part, nn.RNNBase):  # what a cell gives may rightly be blended with what was before
            continue

        def keep(_part: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any], result: Any, name: str = name) -> None:
            if ends:
                seen[name] = tensors_of(result[1])
            elif name not in seen:
                seen[name] = tensors_of(state_given(inputs, options))

        part.register_forward_hook(keep, with_kwargs=True)
    return seen


def state_given(inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Return the state that a recurrent layer or cell of torch's was called with, or None."""
    return inputs[1] if len(inputs) > 1 else options.get("hx")


def tensors_of(state: Any) -> list[Tensor]:
    """Return copies of the tensors of a layer's state, in order."""
    return [leaf.detach().clone() for _, leaf in leaves(state)]

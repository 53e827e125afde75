"""What goes in and out of every part while a module runs once, and which part was running when it failed?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

if TYPE_CHECKING:
    from types import TracebackType

    from torch.utils.hooks import RemovableHandle


@dataclass(frozen=True, eq=False)
class Call:
    """One call of one part: what it was given, and what it gave back (None while it runs)."""

    name: str
    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any = None

    def argument(self, place: int, name: str) -> Any:
        """Return an argument by its place or its name, or None."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name)

    @property
    def label(self) -> str:
        """Return how a message names the part."""
        kind = type(self.module).__name__
        return f"submodule {self.name!r} ({kind})" if self.name else f"the module itself ({kind})"


class Watch:
    """Notes every call of every part of a module while it is entered.

    Attributes:
        running: the parts that have begun and not ended; after an error the last one is where it happened.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.running: list[Call] = []
        self._calls: list[Call | None] = []
        self._places: list[int] = []
        self._handles: list[RemovableHandle] = []

    @property
    def calls(self) -> list[Call]:
        """The calls that ended, in the order in which they began."""
        return [call for call in self._calls if call is not None]

    def __enter__(self) -> Watch:
        """Hang a pair of hooks on every part."""
        for name, part in self.module.named_modules():
            self._handles += self._hang(name, part)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _hang(self, name: str, part: nn.Module) -> list[RemovableHandle]:
        def begin(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self.running.append(Call(name, part, _copied(args), _copied(kwargs)))
            self._places.append(len(self._calls))
            self._calls.append(None)

        def end(_: nn.Module, _args: tuple[Any, ...], _kwargs: dict[str, Any], output: Any) -> None:
            # A part whose error was caught inside the module never ended: it lies on top of this one.
            while self.running[-1].module is not part:
                self.running.pop()
                self._places.pop()
            begun = self.running.pop()
            self._calls[self._places.pop()] = Call(name, part, begun.args, begun.kwargs, _copied(output))

        return [part.register_forward_pre_hook(begin, with_kwargs=True), part.register_forward_hook(end, with_kwargs=True)]


def _copied(value: Any) -> Any:
    """Return a copy whose tensors no later in-place operation can reach; what is not a plain container is kept as it is."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)) and not isinstance(value, PackedSequence):
        copied = [_copied(each) for each in value]
        return type(value)(*copied) if hasattr(value, "_fields") else type(value)(copied)
    return value

"""How does `package.module:function` or `file.py:function` become a module?"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from statewise.errors import OptionError, nearest

if TYPE_CHECKING:
    from types import ModuleType


def make_from_factory(target: str, *, asked: str = "load the model") -> nn.Module:
    """Call the factory that `target` names and return the module it makes.

    Args:
        target: `package.module:name` or `path/to/file.py:name`; the name is a function without required arguments, a class
            of that kind, or a module that exists already.
        asked: what the user wanted, for messages.

    Raises:
        OptionError: the file, package or name is not there, it needs arguments, or it makes something else.
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise OptionError(
            asked=asked, where=f"target {target!r}", arrived="no 'file.py:function' in it", hint="Write it as models.py:make_model."
        )
    source = _import(place, asked)
    found = getattr(source, name, None)
    if found is None:
        public = [each for each in vars(source) if not each.startswith("_")]
        raise OptionError(asked=asked, where=f"target {target!r}", arrived=f"no {name!r} in {place}", hint=nearest(name, public))
    made = found if isinstance(found, nn.Module) else _call(found, target, asked)
    if not isinstance(made, nn.Module):
        raise OptionError(
            asked=asked, where=f"target {target!r}", arrived=f"it made a {type(made).__name__}", hint="Return a torch.nn.Module from it."
        )
    return made


def _call(factory: Any, target: str, asked: str) -> Any:
    if not callable(factory):
        raise OptionError(
            asked=asked,
            where=f"target {target!r}",
            arrived=f"a {type(factory).__name__}",
            hint="Name a function that returns a torch.nn.Module.",
        )
    required = [
        each.name
        for each in inspect.signature(factory).parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if required:
        raise OptionError(
            asked=asked,
            where=f"target {target!r}",
            arrived=f"it needs {', '.join(required)}",
            hint="Name a function without required arguments that makes the module.",
        )
    return factory()


def _import(place: str, asked: str) -> ModuleType:
    if not place.endswith(".py"):
        if "" not in sys.path:
            sys.path.insert(0, "")
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as problem:
            raise OptionError(
                asked=asked, where=f"package {place!r}", arrived=str(problem), hint="Give a path that ends in .py, or install the package."
            ) from problem
    path = Path(place)
    if not path.is_file():
        beside = [each.name for each in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise OptionError(asked=asked, where=f"file '{place}'", arrived="no such file", hint=nearest(path.name, beside))
    spec = importlib.util.spec_from_file_location(f"statewise_target_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module

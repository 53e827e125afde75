"""How does `package.module:function` or `file.py:function` become a module?"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from torch import nn

from statewise.errors import OptionError, StatewiseError, kind_of, nearest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

Made = TypeVar("Made")
_STAMP = "__statewise_stamp__"
"""Where a file that was run keeps its path, time and size: as long as they are the same it is run once, whatever is taken from it."""


def make_from_factory(target: str, *, asked: str = "load the model") -> nn.Module:
    """Call the factory that `target` names and return the module it makes.

    Args:
        target: `package.module:name` or `path/to/file.py:name`; the name is a function without required arguments, a class
            of that kind, or a module that exists already.
        asked: what the user wanted, for messages.

    Raises:
        OptionError: the file, package or name is not there, it needs arguments, it makes something else, or the code there raises.
    """
    found = find_named(target, where=f"target {target!r}", like="models.py:make_model", asked=asked)
    made = found if isinstance(found, nn.Module) else _call(found, target, asked)
    if not isinstance(made, nn.Module):
        raise OptionError(
            asked=asked, where=f"target {target!r}", arrived=f"it made {kind_of(made)}", hint="Return a torch.nn.Module from it."
        )
    return made


def find_named(target: str, *, where: str, like: str, asked: str) -> Any:
    """Return what stands in a file or package under a name.

    Args:
        target: `package.module:name` or `path/to/file.py:name`.
        where: what holds the target, for messages.
        like: a target of this kind, for messages.
        asked: what the user wanted, for messages.

    Raises:
        OptionError: the file, package or name is not there, or the code there raises.
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise OptionError(asked=asked, where=where, arrived="no name after a colon in it", hint=f"Write it as {like}.")
    source = _import(place, asked)
    found = getattr(source, name, None)
    if found is None:
        public = [each for each, value in vars(source).items() if not each.startswith("_") and not inspect.ismodule(value)]
        raise OptionError(asked=asked, where=where, arrived=f"no {name!r} in {place}", hint=nearest(name, public))
    return found


def _call(factory: Any, target: str, asked: str) -> Any:
    if not callable(factory):
        raise OptionError(
            asked=asked,
            where=f"target {target!r}",
            arrived=kind_of(factory),
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
    file = getattr(sys.modules.get(getattr(factory, "__module__", "")), "__file__", None)
    return _run(factory, where=f"target {target!r}", asked=asked, file=file)


def _run(code: Callable[[], Made], *, where: str, asked: str, file: str | None) -> Made:
    """Run a user's own code; what it raises is told as theirs, with the line in their file.

    Raises:
        OptionError: it raised; an error of ours within it already says what is wrong, and passes.
    """
    try:
        return code()
    except StatewiseError:
        raise
    except Exception as problem:
        frames = traceback.extract_tb(problem.__traceback__)
        theirs = [frame for frame in frames if file is not None and Path(frame.filename).resolve() == Path(file).resolve()]
        at = (theirs or list(frames))[-1]
        name, line, text = at.filename, at.lineno, at.line
        if isinstance(problem, SyntaxError) and problem.filename is not None:
            name, line, text = problem.filename, problem.lineno, (problem.text or "").strip()
        says = " ".join(str(problem).split()) or "no message"
        raise OptionError(
            asked=asked,
            where=f"{where}, file '{name}', line {line}{f': {text}' if text else ''}",
            arrived=f"it raised {type(problem).__name__}: {says}",
            hint="Mend it there: the module could not be made.",
        ) from problem


def _import(place: str, asked: str) -> ModuleType:
    if not place.endswith(".py"):
        if "" not in sys.path:
            sys.path.insert(0, "")
        try:
            return _run(lambda: importlib.import_module(place), where=f"package {place!r}", asked=asked, file=None)
        except OptionError as problem:
            if not isinstance(problem.__cause__, ModuleNotFoundError):
                raise
            raise OptionError(
                asked=asked,
                where=f"package {place!r}",
                arrived=str(problem.__cause__),
                hint="Give a path that ends in .py, or install the package.",
            ) from problem
    path = Path(place)
    if not path.is_file():
        beside = [each.name for each in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise OptionError(asked=asked, where=f"file '{place}'", arrived="no such file", hint=nearest(path.name, beside))
    name = f"statewise_target_{path.stem}"
    stamp = (str(path.resolve()), path.stat().st_mtime_ns, path.stat().st_size)
    there = sys.modules.get(name)
    if there is not None and getattr(there, _STAMP, None) == stamp:
        return there
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    load = partial(spec.loader.exec_module, module)
    try:
        _run(load, where=f"file '{place}'", asked=asked, file=place)
    except StatewiseError:
        del sys.modules[spec.name]
        raise
    setattr(module, _STAMP, stamp)
    return module

"""Which options are there, what do they mean, what are they by default? Writes `options.md` from the code: `make docs`.

Of the command line it asks the parser's own records, of Python the signatures and docstrings of the public names; nothing is
written by hand but the page's frame, so the page says what the code says, or a test fails.
"""

# ruff: noqa: INP001 - the pages' folder is no package
from __future__ import annotations

import inspect
import re
from dataclasses import fields
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import statewise
from statewise.cli._app import _make_app
from statewise.cli._reading import Columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import cyclopts
    from cyclopts import Argument

PAGE = Path(__file__).with_name("options.md")

FRAME = """\
# Options

Every command with its options, and every public name of the library with its arguments. `make docs` makes this page from
the code. What the words mean together stands in [reading](reading.md), [tasks](tasks.md), [training](training.md), [time](time.md),
[metrics](metrics.md), [verdicts](verdicts.md) and [tracing](tracing.md).

## Command line

Any command tells its options with `--help`:

```console
$ statewise judge --help
Usage: statewise judge [OPTIONS] [ARGS]
```

Options come after the command, in any order. One that takes several words takes all that follow it: `--features amount kind`. One that
takes nothing is a switch, off unless it is given. An option can also stand in `pyproject.toml`; what is typed comes first:

<!-- file: pyproject.toml -->
```toml
[tool.statewise.judge]
policy = "lenient"
```

```console
$ statewise judge --tp 50 --fn 10 --fp 5 --tn 35
verdict: ready
```
"""

DATA_OPTIONS = """\
### Options of the data

`fit`, `predict`, `evaluate`, `trace` and `data convert` read files, and share the options that say what a file holds. For a run they are
needed once, at its training: later files are read in the same way unless an option says otherwise.
"""

OPTION_HEAD = ("option", "takes", "by default", "what it is")
ARGUMENT_HEAD = ("argument", "by default", "what it is")
AS_THEY_ARE = ("auto", "default", "rnn", "text")
"""First words of remarks that are values of an option, and keep their small letter."""
OF_MODULES = {"state": ("select", "scatter", "reset", "detach", "save", "load"), "testing": ("assert_sound",)}
"""What of a module is for everyone; of one that is not named here, its classes."""


def page() -> str:
    """Return the whole page."""
    parts = [FRAME, *_commands(), DATA_OPTIONS, _data_options(), "## Python\n", *_names()]
    return "\n".join(parts).rstrip("\n") + "\n"


def _commands() -> Iterator[str]:
    app = _make_app()
    for name in app:
        if not name.startswith("-"):
            yield from _command(f"statewise {name}", app[name])


def _command(words: str, app: cyclopts.App) -> Iterator[str]:
    """Yield what a command, and those below it, can be told."""
    below = [name for name in app if not name.startswith("-")]
    for name in below:
        yield from _command(f"{words} {name}", app[name])
    if below:
        return
    yield f"### {words}\n"
    yield f"{_summary(app.default_command)}\n"
    shown = [each for each in app.assemble_argument_collection(parse_docstring=True) if each.show]
    own = [each for each in shown if not _is_of_the_data(each)]
    for group, members in groupby(sorted(own, key=_rank), key=_group):
        yield (f"{group}:\n\n" if group else "") + _table(OPTION_HEAD, map(_option, members))
    if len(own) < len(shown):
        yield "And the [options of the data](#options-of-the-data).\n"


def _data_options() -> str:
    arguments = _make_app()["fit"].assemble_argument_collection(parse_docstring=True)
    return _table(OPTION_HEAD, [_option(each) for each in arguments if each.show and _is_of_the_data(each)])


def _is_of_the_data(argument: Argument) -> bool:
    """Tell whether an option is one of those that all commands share."""
    return argument.keys[:1] in {(each.name,) for each in fields(Columns)}


def _group(argument: Argument) -> str:
    """Return the name of an option's group; options without one share the empty name."""
    groups = argument.parameter.group
    names = [str(each._name) for each in groups if not isinstance(each, str)] if isinstance(groups, tuple) else []  # noqa: SLF001 - it has no other
    return "".join(name for name in names if name not in ("Arguments", "Parameters"))


def _rank(argument: Argument) -> int:
    return ("", "Model", "Training", "Cut of the data").index(_group(argument))


def _option(argument: Argument) -> tuple[str, ...]:
    """Return the row of one option."""
    default = argument.field_info.default
    is_told = not (default is None or default is False or default == () or default is inspect.Parameter.empty)
    absent = "**needed**" if argument.required else ""
    return (
        _code(argument.names[0]),
        _takes(argument.hint),
        _code(str(default)) if is_told else absent,
        _sentence(str(argument.parameter.help or "")),
    )


def _takes(hint: Any) -> str:
    """Return what an option takes, in words: its choices, a number, a path."""
    kinds = [each for each in (get_args(hint) or (hint,)) if each not in (type(None), Ellipsis)]
    if get_origin(hint) is Literal:
        return ", ".join(_code(str(each)) for each in kinds)
    if get_origin(hint) is tuple:
        return "words"
    words = {bool: "", int: "a whole number", float: "a number", str: "a word", Path: "a path"}
    return " or ".join(_takes(each) if get_args(each) else words[each] for each in kinds)


def _names() -> Iterator[str]:
    """Yield each public name, as Python finds it; of a module, what it holds."""
    for name in statewise.__all__:
        value = getattr(statewise, name)
        if isinstance(value, ModuleType):
            for inner in OF_MODULES.get(name, ()) or _defined(value):
                yield from _name(f"{name}.{inner}", getattr(value, inner))
        else:
            yield from _name(name, value)


def _defined(module: ModuleType) -> list[str]:
    """Return the classes that a module defines: the kinds of errors."""
    return [name for name, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__]


def _name(name: str, value: Any) -> Iterator[str]:
    """Yield a function or class: how it is called, what it does, and a row for each argument."""
    if not callable(value):
        return
    arguments = _described(value)
    yield f"### sw.{name}\n"
    if isinstance(value, type) and (issubclass(value, Exception) or not arguments):
        yield f"{_summary(value)}\n"
    else:
        yield f"{_code(f'sw.{name}({_call(value)})')}\n\n{_summary(value)}\n"
    rows = [(_code(argument), _default(value, argument), _sentence(text)) for argument, text in arguments.items()]
    if rows:
        yield _table(ARGUMENT_HEAD, rows)
    if isinstance(value, type):
        yield from _methods(name, value)


def _methods(name: str, value: type) -> Iterator[str]:
    """Yield the methods of a class that are its own and public, a line each."""
    methods = {each: getattr(value, each) for each in vars(value) if not each.startswith("_") and callable(getattr(value, each))}
    rows = [(_code(f"{name}.{each}({_call(method)})"), _summary(method)) for each, method in methods.items() if method.__doc__]
    if rows:
        yield _table(("method", "what it does"), rows)


def _call(value: Any) -> str:
    """Return how something is called: its positional arguments, then a star where the others go by name."""
    parameters = [each for each in _parameters(value).values() if each.name not in ("self", "cls")]
    positional = [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY]
    named = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    return ", ".join([*positional, *(["*", *named] if named else [])])


def _default(value: Any, argument: str) -> str:
    parameter = _parameters(value).get(argument)
    if parameter is None:
        return ""
    given = parameter.default
    if given is parameter.empty:
        return "**needed**"
    return "" if given is None else _code(_written(given))


def _written(given: object) -> str:
    """Return a default as it would be typed; one that is made anew at each call as what it makes."""
    if callable(getattr(given, "factory", None)) or type(given).__name__.startswith("_HAS_DEFAULT_FACTORY"):
        return "{}"
    return "..." if " at 0x" in repr(given) or repr(given).startswith("<") else repr(given)


def _parameters(value: Any) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(value).parameters)
    except (TypeError, ValueError):  # a class that is no one's to call
        return {}


def _described(value: Callable[..., Any]) -> dict[str, str]:
    """Return what the docstring says of each argument or attribute."""
    lines = inspect.cleandoc(value.__doc__ or "").splitlines()
    found: dict[str, str] = {}
    inside, last = False, ""
    for line in lines:
        if re.match(r"\S", line):
            inside = line in ("Args:", "Attributes:")
        elif inside and (entry := re.match(r" {4}(\w+(?:, \w+)*): (.*)", line)):
            last, found[entry[1]] = entry[1], entry[2]
        elif inside and line.strip():
            found[last] += " " + line.strip()
    return found


def _summary(value: Any) -> str:
    """Return the first paragraph of a docstring."""
    return " ".join(inspect.cleandoc(value.__doc__ or "").partition("\n\n")[0].split())


def _sentence(text: str) -> str:
    """Return a remark that begins with a large letter and ends with a stop; one that begins with code stays as it is."""
    parts = " ".join(text.split()).split("`")
    text = "`".join(part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(parts))
    if text and text.split(maxsplit=1)[0].rstrip(",:") in AS_THEY_ARE:
        return text if text.endswith(".") else f"{text}."
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "?")) else ".")


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table; a bar inside a cell is escaped."""
    head = tuple(head)
    lines = [head, tuple("---" for _ in head), *rows]
    written = ["| " + " | ".join(cell.replace("|", r"\|") or " " for cell in cells) + " |" for cells in lines]
    return "\n".join(written) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

"""How do words become a call? Cyclopts reads each command's signature; options may also stand in `[tool.statewise]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import cyclopts
from cyclopts.config import Toml

from statewise import __version__
from statewise.cli import COMMANDS
from statewise.errors import OptionError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(words: Sequence[str]) -> int:
    """Call the command that the words name and return its exit code.

    Raises:
        OptionError: an unknown command, or words that do not fit its options.
    """
    if words[0] not in {command.name for command in COMMANDS}:
        raise OptionError(
            asked=f"statewise {words[0]}",
            where="command",
            arrived=repr(words[0]),
            hint=nearest(words[0], [command.name for command in COMMANDS]),
        )
    app = _make_app()
    try:
        code = app(list(words), exit_on_error=False, print_error=False, result_action="return_value")
    except cyclopts.CycloptsError as problem:
        raise _as_option_error(problem, words) from problem
    return int(code or 0)


def _make_app() -> cyclopts.App:
    app = cyclopts.App(
        name="statewise",
        version=__version__,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
        config=(Toml("pyproject.toml", root_keys=("tool", "statewise"), search_parents=True), _refuse_fractions),
    )
    for command in COMMANDS:
        app.command(command.target, name=command.name, help=command.says)
    return app


def _refuse_fractions(app: cyclopts.App, commands: tuple[str, ...], arguments: cyclopts.ArgumentCollection) -> None:  # noqa: ARG001
    """Refuse a fraction for a whole number, which cyclopts would round.

    Raises:
        OptionError: the option and the fraction.
    """
    for argument in arguments:
        if int not in {argument.hint, *get_args(argument.hint)}:
            continue
        fraction = next((token for token in argument.tokens if _is_fraction(token.value)), None)
        if fraction is not None:
            asked = f"statewise {' '.join(commands)}"
            raise OptionError(asked=asked, where=argument.name, arrived=fraction.value, hint="Give a whole number.")


def _is_fraction(text: str) -> bool:
    """Whether a text is a number and no whole one; what is no number at all is cyclopts' to refuse."""
    try:
        return not float(text).is_integer()
    except ValueError:
        return False


def _as_option_error(problem: cyclopts.CycloptsError, words: Sequence[str]) -> OptionError:
    says = " ".join(str(problem).split())
    return OptionError(asked=f"statewise {' '.join(words)}", where="the options", arrived=says, hint=f"See 'statewise {words[0]} --help'.")

"""Which numbers and categories does a model read at each step, and which belong to a whole sequence?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from statewise.errors import nearest
from statewise.sequences._labels import in_natural_order
from statewise.sequences._ragged import Ragged
from statewise.sequences._rows import Rows, codes_of, located, one_a_sequence
from statewise.sequences._table import Table, rounding_of
from statewise.sequences._targets import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from statewise.sequences._options import Options

_ROW_NUMBERS = ("", "__index_level_0__")
"""What the row numbers that pandas writes are called; they are no feature unless named as one."""
_PART = "split"
"""What the column is called that tells training, validation and test rows apart; it is no feature unless named as one."""
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_MARK = "_missing"
"""How the name of a column ends that says where another is missing."""


class Inputs(NamedTuple):
    """What is read at each step: the inputs, the names of their features, the categories, notes, and the indicators asked for by name."""

    inputs: Ragged | dict[str, Ragged]
    feature_names: list[str] | dict[str, list[str]]
    categories: dict[str, list[str]]
    notes: list[str]
    indicators: tuple[str, ...]


def inputs_of(table: Table, options: Options, rows: Rows) -> Inputs:
    """Return the inputs that the columns of a table form.

    Raises:
        DataError: a column is absent, or a value cannot be used.
    """
    by_input, indicators = _feature_columns(table, options)
    token = options.single if options.task == "next" else None
    known = dict(options.categories or {})
    if token is not None and options.class_names is not None:
        known[token] = tuple(name for name in options.class_names if name != UNKNOWN)
    inputs: dict[str, Ragged] = {}
    names: dict[str, list[str]] = {}
    categories: dict[str, list[str]] = {}
    notes = _left_out(table, options)
    lengths = torch.from_numpy(rows.lengths)
    stated = {*options.categorical, *known, *([token] if token is not None else [])}
    for input_name, chosen in by_input.items():
        words = [name for name in chosen if name in stated or _is_word(table, options, name)]
        numbers = [name for name in chosen if name not in words]
        if numbers:
            block, more = _block(table, options, numbers)
            inputs[input_name] = Ragged(torch.from_numpy(block[rows.order]), lengths)
            names[input_name] = numbers
            notes += more
        for name in words:
            if name in inputs or name in by_input:
                raise _twice(table, name)
            categories[name], codes, more = _categories(table, options, name, known.get(name), inferred=name not in stated)
            inputs[name] = Ragged(torch.from_numpy(codes[rows.order]), lengths)
            notes += more
    _refuse_unknown_ahead(table, options, names)
    if list(inputs) == ["x"] and not isinstance(options.features, dict):
        return Inputs(inputs["x"], names["x"], categories, notes, indicators)
    return Inputs(inputs, names, categories, notes, indicators)


def _left_out(table: Table, options: Options) -> list[str]:
    """Return a note on each column that is no feature although it has no other meaning that was stated."""
    if options.features is not None:
        return []
    notes = [f"column {name!r} holds row numbers and was left out" for name in _ROW_NUMBERS if name in table.names]
    if _PART in table.names and _PART not in options.taken:
        notes.append(f"column {_PART!r} tells parts apart and was left out; name it in features to read it")
    return notes


def _is_word(table: Table, options: Options, name: str) -> bool:
    return table.kind(name, option="features", may_miss=options.missing != "error") == "word"


def _block(table: Table, options: Options, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Return columns of numbers side by side, `[rows, feature]`, and notes on those with missing values or too many digits."""
    block, notes = np.empty((len(table), len(names)), dtype=np.float32), []
    for place, name in enumerate(names):
        values = table.numbers(name, option="features", may_miss=options.missing != "error")
        block[:, place] = values
        notes += _told_rounding(name, values)
        missing = int(np.isnan(block[:, place]).sum())
        if missing:
            notes.append(f"column {name!r}: {missing} of {len(table)} values are missing and are read as the mean of the training part")
    return block, notes


def _told_rounding(name: str, values: np.ndarray) -> list[str]:
    lost = rounding_of(values)
    if lost is None:
        return []
    told, hint = lost
    return [f"column {name!r} holds {told}: {hint[0].lower()}{hint[1:].rstrip('.')}"]


def _feature_columns(table: Table, options: Options) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Return the columns of each input, all of them checked to exist, and the indicators that were named among them."""
    if options.features is None:
        by_input = {"x": [name for name in table.names if name not in {*options.taken, *_ROW_NUMBERS, _PART}]}
    elif isinstance(options.features, dict):
        by_input = {name: list(chosen) for name, chosen in options.features.items()}
    else:
        by_input = {"x": list(options.features)}
    indicators = tuple(name for chosen in by_input.values() for name in chosen if _is_indicator(table, options, name))
    made = {*indicators, *([f"{options.time}_gap"] if options.time_gaps and f"{options.time}_gap" not in table.names else [])}
    by_input = {name: [each for each in chosen if each not in made] for name, chosen in by_input.items()}
    every = [name for chosen in by_input.values() for name in chosen]
    for name in every:
        table.column(name, option="features")
        if name in options.target and not options.ahead:
            hint = "A model that reads its target learns nothing: leave it out."
            raise table.error(f"features, column {name!r}", "it is the target", hint)
    empty = next((name for name, chosen in by_input.items() if not chosen), "x" if not by_input else None)
    if empty is not None and not (made and every):
        arrived = f"no column, of {', '.join(map(repr, table.names))}"
        raise table.error(f"features of input {empty!r}", arrived, "Give the file a column that the model can read at each step.")
    twice = next((name for name in every if every.count(name) > 1), None)
    if twice is not None:
        raise _twice(table, twice)
    _refuse_useless(table, options, every)
    return by_input, indicators


def _is_indicator(table: Table, options: Options, name: str) -> bool:
    """Tell whether a feature that is no column says where a column is missing."""
    return options.missing == "indicator" and name not in table.names and name.endswith(_MARK) and name.removesuffix(_MARK) in table.names


def _refuse_useless(table: Table, options: Options, every: Sequence[str]) -> None:
    """Refuse categorical columns that are no feature, and a token that the model does not read."""
    for name in options.categorical:
        table.column(name, option="categorical")
        if name not in {*every, *options.static}:
            raise table.error(f"categorical, column {name!r}", "it is no feature", "Name it in features=[...] or in static=[...] too.")
    if options.task == "next" and options.single is not None and options.single not in every:
        hint = "The next token is predicted from those before it: name the column in features=[...] too."
        raise table.error(f"features, column {options.single!r}", "the token is no feature", hint)


def _refuse_unknown_ahead(table: Table, options: Options, names: dict[str, list[str]]) -> None:
    """Refuse columns known beforehand that are no feature of numbers."""
    numeric = [name for each in names.values() for name in each]
    for name in options.known:
        if name not in numeric:
            hint = nearest(name, numeric)
            raise table.error(f"known, column {name!r}", "it is no feature that holds numbers", hint)


def _twice(table: Table, name: str) -> Exception:
    return table.error(f"features, column {name!r}", "it is read twice, or has the name of an input", "Name each column once.")


def _categories(
    table: Table, options: Options, name: str, known: Sequence[str] | None, *, inferred: bool, may_miss: bool | None = None
) -> tuple[list[str], np.ndarray, list[str]]:
    """Return the categories of a column, the code of each row (-1: a category that is not known), and notes."""
    may_miss = options.missing != "error" if may_miss is None else may_miss
    words = table.words(name, option="categorical", may_miss=may_miss)
    names = list(in_natural_order(words.drop_nulls().unique().to_list())) if known is None else [str(each) for each in known]
    codes, notes = codes_of(words, names), []
    if inferred:
        commas = sum(_DECIMAL_COMMA.fullmatch(each) is not None for each in names)
        doubt = "; most look like numbers with a decimal comma: write 3.14, not 3,14" if 2 * commas > len(names) else ""
        notes.append(f"column {name!r} holds no number and is read as {len(names)} categories{doubt}")
    missing = int(words.null_count())
    if missing:
        notes.append(f"column {name!r}: {missing} of {len(words)} values are missing and are read as unknown")
    unseen = words.filter((codes < 0) & words.is_not_null().to_numpy())
    if len(unseen):
        examples = unseen.unique(maintain_order=True).to_list()
        shown = ", ".join(map(repr, examples[:5])) + (", ..." if len(examples) > 5 else "")
        notes.append(f"column {name!r}: {len(unseen)} rows have a category that is not known ({shown}) and are read as unknown")
    return names, codes, notes


def static_of(table: Table, options: Options, rows: Rows) -> tuple[Tensor | None, list[str] | None, list[str]]:
    """Return the features of whole sequences `[n, static]`, their names, and notes; a category is one column a value.

    Raises:
        DataError: a column is absent, changes inside a sequence, or has not the names of the training file.
    """
    blocks: dict[str, np.ndarray] = {}
    notes: list[str] = []
    for name in options.static:
        there, each = located(table, rows, [name])
        hint = f"What changes from step to step is a feature: leave {name!r} out of static."
        if name in options.categorical or there.kind(name, option="static") == "word":
            wanted = options.static_names
            known = None if wanted is None else [entry.removeprefix(f"{name}=") for entry in wanted if entry.startswith(f"{name}=")]
            names, codes, more = _categories(there, options, name, known, inferred=False, may_miss=False)
            notes += more
            values: pl.Series | np.ndarray = there.words(name, option="static")
            chosen = one_a_sequence(there, each, name, values, codes=codes, hint=hint)
            blocks |= {f"{name}={word}": (codes == number)[chosen] for number, word in enumerate(names)}
        else:
            values = there.numbers(name, option="static")
            notes += _told_rounding(name, values)
            blocks[name] = values[one_a_sequence(there, each, name, values, codes=values, hint=hint)]
    if not blocks:
        return None, None, notes
    if options.static_names is not None and list(options.static_names) != list(blocks):
        arrived = f"{', '.join(blocks)} instead of {', '.join(options.static_names)}"
        raise table.error("static", arrived, "Name the static columns of the training file, in the same order.")
    return torch.from_numpy(np.stack(list(blocks.values()), axis=1).astype(np.float32)), list(blocks), notes

"""Which tokens stand in a table, and how long is the code of each? The columns `target`, `prediction`, `nll`, `baseline_<name>`.

A token is the text of its value as it stands, blanks and all: a space is a token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from statewise.evaluation._labels import label_text, numbered
from statewise.evaluation._naive import naive_unigram
from statewise.evaluation._value_answers import BASELINE, Read
from statewise.sequences import natural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.evaluation._columns import Columns


def read_tokens(table: Columns, scored: np.ndarray, *, class_names: Sequence[str] | None) -> Read:
    """Return the tokens of a table; where it has no baseline, the frequencies of its own tokens.

    Args:
        table: the columns.
        scored: whether each row is scored.
        class_names: all tokens, where some may not occur.

    Raises:
        DataError: a column or a value is missing, or a length is no number.
    """
    columns = {name: _tokens(table, name) for name in ("target", "prediction")}
    names = dict.fromkeys(class_names or ())
    names |= dict.fromkeys(sorted({token for _, tokens in columns.values() for token in tokens} - names.keys(), key=natural))
    place = {name: number for number, name in enumerate(names)}
    actual, predicted = (np.array([place[token] for token in tokens], dtype=np.int64)[codes] for codes, tokens in columns.values())
    named = tuple(name for name in table.values if name.startswith(BASELINE))
    fields: dict[str, Any] = {"class_names": tuple(names), "actual": actual, "predicted": predicted}
    fields["nll"] = table.numbers("nll", hint="-log of the probability of each target, in nats. ")
    fields["baselines"] = {name.removeprefix(BASELINE): table.numbers(name) for name in named}
    notes: list[str] = []
    if not named:
        fields["baselines"], notes = naive_unigram(actual, scored)
    return Read(fields, named, notes)


def _tokens(table: Columns, name: str) -> tuple[np.ndarray, list[str]]:
    """Return the number of each row's token, and the tokens."""
    codes, values = numbered(table.column(name, hint=f"Each row names the token that {'came' if name == 'target' else 'was likeliest'}. "))
    texts = [value if isinstance(value, str) else label_text(value) for value in values]
    table.refuse_missing(name, np.array([text is None or text == "" for text in texts], dtype=bool)[codes])
    return codes, [text for text in texts if text is not None]

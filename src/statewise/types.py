"""Which words do the signatures use? One legend of axes and a few shared names.

Axes in shapes, everywhere:
    n          sequences in a batch                steps    all steps of all sequences, one after another
    time       steps of a dense window             batch    rows (lanes) of a dense window
    feature    numbers read at one step            hidden   numbers carried to the next step
    out        numbers given out at one step       classes  labels that can be told apart
    static     numbers that belong to a whole sequence
    *rest      whatever else a value has
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

State: TypeAlias = Any
"""Any tree of tensors: tuple, list, dict, dataclass, a tensor, or None."""

KnownTask: TypeAlias = Literal["classify", "tag", "multilabel", "regress", "forecast", "next"]
Task: TypeAlias = KnownTask | Literal["other"]
Each: TypeAlias = Literal["sequence", "step"]

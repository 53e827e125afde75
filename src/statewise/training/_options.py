"""Which options does training have, what are they when nobody says, and which values can they not have?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
import torch

from statewise.errors import OptionError
from statewise.sequences import SEEDS, flag_of, number_of

if TYPE_CHECKING:
    from statewise.sequences import Sequences

Precision: TypeAlias = Literal["float32", "bfloat16"]
Schedule: TypeAlias = Literal["cosine", "constant"]


_FRACTIONS = {"lr", "weight_decay", "clip", "label_smoothing"}
_MAY_BE_NONE = {"batch_steps", "window", "lanes", "stride"}


class FitOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to train.

    Attributes:
        epochs: passes over the training part at most.
        batch_steps: real steps in a batch, about; by default a sixteenth of the training part, at most 20,000.
        lr: the largest learning rate of AdamW.
        weight_decay: of AdamW.
        schedule: `"cosine"`: up over the first tenth, then down along a cosine to a hundredth; or `"constant"`.
        clip: largest norm of all gradients together; larger ones are scaled down to it. 0 switches clipping off.
        label_smoothing: share of each label spread evenly over all classes.
        patience: stop after so many epochs without a lower validation loss; 0 never stops.
        refit: train anew on training and validation part together, for the number of epochs that validation chose.
        seed: of the order of batches, of dropout, and of all else that draws random numbers (of torch, NumPy or Python) while it trains.
        precision: `"bfloat16"` runs the matrix products under autocast.
        gradients_by_lag: after each epoch, measure on up to 32 training sequences how far back in time the loss reaches.
        window: train in windows of so many steps, with the state carried from one to the next; None: whole sequences.
        lanes: streams beside one another in a window; by default 64.
        stride: how far apart windows start; by default the window.
        burn_in: steps before a window that run without gradient.
    """

    epochs: int = 60
    batch_steps: int | None = None
    lr: float = 3e-3
    weight_decay: float = 0.01
    schedule: Schedule = "cosine"
    clip: float = 1.0
    label_smoothing: float = 0.0
    patience: int = 20
    refit: bool = False
    seed: int = 0
    precision: Precision = "float32"
    gradients_by_lag: bool = False
    window: int | None = None
    lanes: int | None = None
    stride: int | None = None
    burn_in: int = 0

    def __post_init__(self) -> None:
        """Refuse values outside their range; numpy's numbers become Python's, which can be written down."""
        ranges: dict[str, tuple[float, float]] = {
            "epochs": (1, 1e6),
            "batch_steps": (1, 1e12),
            "lr": (1e-12, 1e3),
            "weight_decay": (0, 1e3),
            "clip": (0, 1e12),
            "label_smoothing": (0, 0.999),
            "patience": (0, 1e6),
            "window": (1, 1e9),
            "lanes": (1, 1e6),
            "stride": (1, 1e9),
            "burn_in": (0, 1e9),
            "seed": (-SEEDS, SEEDS),
        }
        for name, (low, high) in ranges.items():
            value, most = getattr(self, name), self.window if name == "stride" and self.window else high
            if value is not None or name not in _MAY_BE_NONE:
                number = number_of(value, low, most, asked="fit", where=name, whole=name not in _FRACTIONS)
                msgspec.structs.force_setattr(self, name, number)
        for name in ("refit", "gradients_by_lag"):
            msgspec.structs.force_setattr(self, name, flag_of(getattr(self, name), asked="fit", where=name))
        for name, known in (("precision", ("float32", "bfloat16")), ("schedule", ("cosine", "constant"))):
            if getattr(self, name) not in known:
                raise OptionError(asked="fit", where=name, arrived=repr(getattr(self, name)), hint=f"Choose one of {', '.join(known)}.")
        self._refuse_unused()

    def _refuse_unused(self) -> None:
        """Refuse options of windows without a window, and of batches beside one."""
        if self.window is None:
            unused = next((name for name in ("lanes", "stride", "burn_in") if getattr(self, name)), None)
            arrived, hint = "an option of windows, and there is no window", "Give window=128 (--window 128) as well, or leave it out."
        else:
            unused = "batch_steps" if self.batch_steps is not None else None
            arrived, hint = "beside window", "Leave it out: a window has lanes times window steps."
        if unused is not None:
            raise OptionError(asked="fit", where=unused, arrived=f"{getattr(self, unused)}, {arrived}", hint=hint)

    @property
    def num_lanes(self) -> int:
        """Number of lanes at most."""
        return self.lanes or 64

    def steps_per_batch(self, train: Sequences) -> int:
        """Return the budget of real steps of a batch or window."""
        if self.window is not None:
            return self.num_lanes * self.window
        return self.batch_steps or max(1, min(20_000, train.num_steps // 16))


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device to train on; `"auto"` is the GPU where there is one.

    Raises:
        OptionError: a device that this machine does not have.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError) as problem:
        raise OptionError(
            asked="fit",
            where="device",
            arrived=f"{device!r}: {str(problem).splitlines()[0]}",
            hint="Choose 'auto', 'cpu', or a device that is there.",
        ) from problem

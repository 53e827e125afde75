"""How does training go on where it stopped? One file holds everything the next epoch depends on, written whole or not at all."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from statewise.errors import RunError
from statewise.files import write_atomically
from statewise.runs._records import Phase  # msgspec reads the annotations at run time

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn


class Progress(msgspec.Struct, kw_only=True):
    """How far training has come.

    Attributes:
        phase: `"fit"`, or `"refit"` on training and validation part together.
        epoch: epochs finished in this phase.
        update: optimiser steps taken in this phase.
        best_epoch: the epoch with the lowest validation loss so far; 0 before the first.
        best_loss: that loss.
        stale: epochs since then.
        num_records: records of the history up to here; those after it are cut away when training goes on.
        seconds: time spent.
    """

    phase: Phase = "fit"
    epoch: int = 0
    update: int = 0
    best_epoch: int = 0
    best_loss: float | None = None
    stale: int = 0
    num_records: int = 0
    seconds: float = 0.0


class Checkpoint(msgspec.Struct, kw_only=True):
    """Everything the next epoch depends on: progress, weights, best weights, optimiser and random states."""

    progress: Progress
    tensors: dict[str, Tensor]

    def save(self, path: Path) -> None:
        """Write the checkpoint; the one before stays until this one is whole."""
        metadata = {"progress": msgspec.json.encode(self.progress).decode(), "sha256": _hash(self.tensors)}
        write_atomically(path, save_tensors(self.tensors, metadata), asked="write a checkpoint")

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read a checkpoint and check that its contents are those that were written.

        Raises:
            RunError: the file is damaged.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
            if metadata.get("sha256") != _hash(tensors):
                raise _damaged(path, "its contents do not have the recorded SHA-256")
            return cls(progress=msgspec.json.decode(metadata["progress"], type=Progress), tensors=tensors)
        except (SafetensorError, msgspec.MsgspecError, OSError, KeyError, ValueError) as problem:
            if isinstance(problem, RunError):
                raise
            raise _damaged(path, str(problem)) from problem

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin with `prefix/`, without it."""
        return {name[len(prefix) + 1 :]: tensor for name, tensor in self.tensors.items() if name.startswith(f"{prefix}/")}


def collect(
    model: nn.Module, best: dict[str, Tensor], first: dict[str, Tensor], optimizer: torch.optim.Optimizer, progress: Progress
) -> Checkpoint:
    """Return a checkpoint of where training stands.

    Args:
        model: with its present weights.
        best: the best weights so far.
        first: the weights that training began from; a refit starts from them.
        optimizer: with its moments.
        progress: how far training has come.
    """
    tensors = _prefixed("model", model.state_dict()) | _prefixed("best", best) | _prefixed("first", first)
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= _prefixed(f"optimizer/{number}", state)
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    return Checkpoint(progress=progress, tensors=tensors)


def restore(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put weights, optimiser and random states back as they were."""
    model.load_state_dict(checkpoint.part("model"))
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in checkpoint.part("optimizer").items():
        number, key = name.split("/")
        state.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    torch.set_rng_state(checkpoint.tensors["random/cpu"])
    if "random/cuda" in checkpoint.tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(checkpoint.tensors["random/cuda"])


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    # Cloned: tied weights share memory, which safetensors refuses.
    return {f"{prefix}/{name}": torch.as_tensor(tensor).detach().cpu().clone().contiguous() for name, tensor in tensors.items()}


def _hash(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(
            tensors[name].contiguous().view(torch.uint8).numpy().tobytes() if tensors[name].ndim else tensors[name].numpy().tobytes()
        )
    return digest.hexdigest()


def _damaged(path: Path, arrived: str) -> RunError:
    return RunError(
        asked="resume a run",
        where=f"checkpoint '{path}'",
        arrived=f"damaged: {arrived}",
        hint="Restore it from a copy, or train anew into another folder with --out.",
    )

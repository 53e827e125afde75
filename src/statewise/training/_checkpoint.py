"""How does training go on where it stopped? One file holds everything the next update depends on, written whole or not at all.

A checkpoint can be taken between any two updates. Not in it is what a module keeps in plain attributes: a state belongs in the
carried state, a number that is to stay in a buffer.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from statewise.errors import RunError
from statewise.files import write_atomically
from statewise.runs import Phase  # msgspec reads the annotations at run time
from statewise.state import put_together, take_apart
from statewise.training._plain import from_json, to_json

if TYPE_CHECKING:
    from pathlib import Path

    from statewise.types import State

_SCHEMA = "2"


class Sums(msgspec.Struct, kw_only=True):
    """What the items of an epoch that are done add up to.

    Attributes:
        loss: weighted sum of the losses.
        weight: sum of the weights.
        correct: right answers, for classes.
        seen: answers, for classes.
        steps: real steps.
        seconds: time spent.
    """

    loss: float = 0.0
    weight: float = 0.0
    correct: int = 0
    seen: int = 0
    steps: int = 0
    seconds: float = 0.0


class Progress(msgspec.Struct, kw_only=True):
    """How far training has come.

    Attributes:
        phase: `"fit"`, or `"refit"` on training and validation part together.
        epoch: epochs finished in this phase.
        cursor: items (batches, windows) of the next epoch that are done.
        sums: what these add up to.
        update: optimiser steps taken in this phase.
        best_epoch: the epoch with the lowest validation loss so far; 0 before the first.
        best_loss: that loss.
        stale: epochs since then.
        num_records: records of the history up to here; those after it are cut away when training goes on.
        seconds: time spent.
        threads: of torch, on which the last digits of a sum depend.
        optimizer: the optimiser as it was made: its class, and the options of its groups.
    """

    phase: Phase = "fit"
    epoch: int = 0
    cursor: int = 0
    sums: Sums = msgspec.field(default_factory=Sums)
    update: int = 0
    best_epoch: int = 0
    best_loss: float | None = None
    stale: int = 0
    num_records: int = 0
    seconds: float = 0.0
    threads: int = 0
    optimizer: str = ""


class Checkpoint(msgspec.Struct, kw_only=True):
    """Everything the next update depends on.

    Attributes:
        progress: how far training has come.
        weights: parameters and buffers now.
        best: the best ones so far.
        first: those that training began from, where a refit will start from them.
        optimizer: what its `state_dict` gives.
        generators: what all random generators will give next.
        carried: the carried state, taken apart.
    """

    progress: Progress
    weights: dict[str, Tensor]
    best: dict[str, Tensor]
    first: dict[str, Tensor]
    optimizer: dict[str, Any]
    generators: dict[str, Any]
    carried: tuple[dict[str, Tensor], dict[str, Any]] = msgspec.field(default_factory=lambda: take_apart(None))

    def state(self, like: State) -> State:
        """Return the carried state; `like` is one of the same structure, for its types and devices, or None."""
        tensors, record = self.carried
        return put_together(tensors, record, like=like if tensors else None, asked="resume a run")

    def save(self, path: Path) -> None:
        """Write the checkpoint; the one before stays until this one is whole.

        Raises:
            RunError: it cannot be written.
            OptionError: the optimiser keeps something that no file can hold.
        """
        trees = {
            "optimizer": to_json(self.optimizer, where="the optimiser's state"),
            "generators": to_json(self.generators, where="the random generators"),
            "carried": (json.dumps(self.carried[1]), self.carried[0]),
        }
        tensors: dict[str, Tensor] = {}
        for name, named in (("weights", self.weights), ("best", self.best), ("first", self.first)):
            # Cloned: tied weights share memory, which safetensors refuses.
            tensors |= {f"{name}/{key}": tensor.detach().cpu().clone().contiguous() for key, tensor in named.items()}
        for name, (_, numbered) in trees.items():
            tensors |= {f"{name}/{number}": tensor for number, tensor in numbered.items()}
        metadata = {"schema": _SCHEMA, "progress": msgspec.json.encode(self.progress).decode()}
        metadata |= {name: text for name, (text, _) in trees.items()}
        content = save_tensors(tensors, metadata | {"sha256": _hash(tensors, metadata)})
        hint = "Make room, and go on from the checkpoint before with --resume (resume=True)."
        write_atomically(path, content, asked="write a checkpoint", hint=hint)

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read a checkpoint and check that its contents are those that were written.

        Raises:
            RunError: the file is damaged, or of an earlier version, which knew whole epochs alone.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata: dict[str, str] = dict(file.metadata() or {})
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
            if metadata.get("schema") != _SCHEMA:
                raise _of_another_version(path, metadata)
            if metadata.pop("sha256", None) != _hash(tensors, metadata):
                raise _damaged(path, "its contents do not have the recorded SHA-256")
            return cls._from_parts(metadata, tensors)
        except (SafetensorError, msgspec.MsgspecError, OSError, KeyError, ValueError) as problem:
            raise _damaged(path, str(problem)) from problem

    @classmethod
    def _from_parts(cls, metadata: dict[str, str], tensors: dict[str, Tensor]) -> Checkpoint:
        def part(prefix: str) -> dict[str, Tensor]:
            return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}/")}

        return cls(
            progress=msgspec.json.decode(metadata["progress"], type=Progress),
            weights=part("weights"),
            best=part("best"),
            first=part("first"),
            optimizer=from_json(metadata["optimizer"], part("optimizer")),
            generators=from_json(metadata["generators"], part("generators")),
            carried=(part("carried"), json.loads(metadata["carried"])),
        )


def _hash(tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _damaged(path: Path, arrived: str) -> RunError:
    return RunError(
        asked="resume a run",
        where=f"checkpoint '{path}'",
        arrived=f"damaged: {arrived}",
        hint="Restore it from a copy, or train anew into another folder with --out.",
    )


def _of_another_version(path: Path, metadata: dict[str, str]) -> RunError:
    known = "schema" in metadata or "progress" in metadata
    if not known:
        return _damaged(path, "it does not say what it holds")
    return RunError(
        asked="resume a run",
        where=f"checkpoint '{path}'",
        arrived=f"schema {metadata.get('schema', '1')}, this version reads {_SCHEMA}",
        hint="Resume with the version that wrote it, or train anew into another folder with --out.",
    )

"""What does a training leave behind, and how is it had again?"""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.metadata
import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from statewise.contracts import Adapted, Contract, adapt
from statewise.errors import RunError
from statewise.files import content_hash, write_atomically
from statewise.models import Model
from statewise.runs._config import DataRecord, Provenance, RunConfig
from statewise.runs._factory import make_from_factory
from statewise.runs._files import RunFiles, read_document, write_document
from statewise.runs._history import read_history
from statewise.runs._records import History

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.sequences import Sequences


@dataclass(kw_only=True, repr=False)
class Run:
    """A training and all that it left.

    Attributes:
        config: the resolved options.
        history: the records of the training.
        model: the module with its best weights; None where only the records could be loaded.
        directory: where everything lies, or None for a run kept in memory.
        call: the user's way to call the module, where one was given.
        contract: the contract the module was trained under.
        evaluation: the last evaluation of this run in this process, or None.
        audit: an audit of its model that was made in this process, or None; `judge` and `report` read it.
    """

    config: RunConfig
    history: History
    model: nn.Module | None = None
    directory: Path | None = None
    call: Callable[..., Any] | None = None
    contract: Contract = field(default_factory=Contract)
    evaluation: Any = None
    audit: Any = None

    def adapted(self) -> Adapted:
        """Return the model ready to be called on `Sequences`.

        Raises:
            RunError: the run was loaded without its module.
        """
        if self.model is None or (self.config.uses_call and self.call is None):
            needed = "model=" if self.model is None else "call="
            raise RunError(
                asked="run the model",
                where=f"run '{self.directory}'",
                arrived=f"it holds the weights of a {self.config.model_name}, which is not one of ours, and no {needed[:-1]} was given",
                hint=f"Give the module and its call again: statewise.load('{self.directory}', model=..., call=...).",
            )
        declared = None if isinstance(self.model, Model) else self.contract
        return adapt(self.model, contract=declared, call=self.call)

    def __repr__(self) -> str:
        """Return what the run is and where it lies."""
        ended = self.history.ended()
        state = f"best epoch {ended.best_epoch}, {ended.reason.replace('_', ' ')}" if ended else "not ended"
        return f"Run({self.config.model_name}, {self.config.task}, {state}, {self.directory or 'in memory'})"


def load(directory: Path | str, model: nn.Module | None = None, call: Callable[..., Any] | None = None) -> Run:
    """Read a run back.

    Args:
        directory: the run directory.
        model: a module of the same shape; needed for a stranger's unless it came from a recorded factory. Without it all
            but predict and trace works. Its weights are replaced.
        call: the user's way to call the module, where one was used.

    Raises:
        RunError: not a run directory, another version, or weights that are not those the run wrote.
    """
    directory = Path(directory)
    files = RunFiles(directory)
    config = read_document(files.config, RunConfig)
    if model is None and config.model is not None:
        model = Model(config.model)
    elif model is None and config.factory is not None:
        model = make_from_factory(config.factory, asked=f"load run '{directory}'")
    if model is not None:
        load_weights(model, directory)
        model.eval()
    return Run(
        config=config,
        history=read_history(files.history) if files.history.is_file() else History(),
        model=model,
        directory=directory,
        call=call,
        contract=_contract_of(config),
    )


def _contract_of(config: RunConfig) -> Contract:
    """Return the contract that a run wrote down; callables were left out, and are asked for again when needed."""
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in config.contract.items()}
    return msgspec.structs.replace(Contract(), **{name: value for name, value in fields.items() if name in Contract.__struct_fields__})


def save_weights(tensors: dict[str, Tensor], path: Path) -> str:
    """Write tensors whole or not at all and return the SHA-256 of the file."""
    content = save_tensors({name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()})
    write_atomically(path, content, asked="write the weights")
    return content_hash(content)


def load_weights(model: nn.Module, directory: Path) -> None:
    """Load the best weights of a run into a module of the same shape.

    Raises:
        RunError: the file is absent or damaged, or the module has other parameters.
    """
    files = RunFiles(directory)
    path, provenance = files.weights, files.provenance
    expected = read_document(provenance, Provenance).weights_sha256 if provenance.is_file() else None
    tensors = read_tensors(path, expected)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as problem:
        raise RunError(
            asked="load the weights",
            where=f"file '{path}'",
            arrived=" ".join(str(problem).split())[:300],
            hint="Give a module of the same class and sizes as the one that was trained.",
        ) from problem


def read_tensors(path: Path, expected_sha256: str | None = None) -> dict[str, Tensor]:
    """Read a safetensors file and check that it is the one that was written.

    Raises:
        RunError: the file is absent, cut, or not the one whose hash was recorded.
    """
    hint = "Restore it from a copy, or run 'statewise fit' again."
    try:
        content = path.read_bytes()
    except OSError as problem:
        if RunFiles(path.parent).config.is_file():
            hint = "The training did not come to its end: go on with the same 'statewise fit' and --resume."
        raise RunError(asked="read weights", where=f"file '{path}'", arrived=problem.strerror or str(problem), hint=hint) from problem
    if expected_sha256 is not None and content_hash(content) != expected_sha256:
        raise RunError(
            asked="read weights",
            where=f"file '{path}'",
            arrived="its SHA-256 is not the recorded one: the file is damaged or was changed",
            hint=hint,
        )
    try:
        return dict(load_tensors(content))
    except (SafetensorError, ValueError) as problem:
        raise RunError(asked="read weights", where=f"file '{path}'", arrived=f"damaged ({problem})", hint=hint) from problem


def record_data(data: Sequences) -> DataRecord:
    """Return the source, the size, and a hash over all that a model can see of the data: numbers, targets, weights, names."""
    digest = hashlib.sha256()
    tensors = [data.lengths, *(part.values for part in data.parts.values()), data.targets, data.static, data.weights]
    for tensor in tensors:
        if isinstance(tensor, Tensor):
            digest.update(str((tensor.dtype, tuple(tensor.shape))).encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    digest.update(msgspec.json.encode([data.keys, data.groups, data.class_names, data.task, data.known, data.season]))
    return DataRecord(source=data.source, num_sequences=len(data), num_steps=data.num_steps, sha256=digest.hexdigest())


def make_provenance(*, seed: int, weights_sha256: str, data: dict[str, DataRecord], device: str) -> Provenance:
    """Return the record of where a run came from, made now."""
    packages = ("statewise", "torch", "numpy")
    return Provenance(
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        command=" ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        seed=seed,
        versions={"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in packages}},
        device=device,
        threads=torch.get_num_threads(),
        weights_sha256=weights_sha256,
        data=data,
    )


def add_to_provenance(directory: Path, *, test: DataRecord | None, policy: str, policy_sha256: str) -> None:
    """Add to `provenance.json` what was scored, and by which policy it was judged."""
    path = RunFiles(directory).provenance
    before = read_document(path, Provenance)
    data = before.data if test is None else {**before.data, "test": test}
    write_provenance(directory, msgspec.structs.replace(before, data=data, policy=policy, policy_sha256=policy_sha256))


def write_provenance(directory: Path, provenance: Provenance) -> None:
    """Write `provenance.json`."""
    write_document(RunFiles(directory).provenance, provenance)

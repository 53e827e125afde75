"""What does a run write down about itself, so that it can be read, continued and judged later?"""

from __future__ import annotations

from typing import Any

import msgspec

from statewise.models import ModelConfig  # msgspec reads the annotations at run time
from statewise.types import Task

SCHEMA = 1


class DataRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Which data took part in a run: its source, its size, and the hash of the numbers themselves."""

    source: str
    num_sequences: int
    num_steps: int
    sha256: str


class RunConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The resolved options of a run: `config.json`.

    Attributes:
        model: how to build the model again, for one of ours.
        factory: `package.module:function` or `file.py:function` that makes the model, for a stranger's that came from one.
        model_name: the class of the model.
        feature_names: the names of the features of a single input.
        input_names: the names of the features of each input, where they have some.
        contract: the fields of the contract that were declared or found.
        uses_call: the model was called through a user's `call=`, which is needed again.
        options: of `fit`.
        reading: the options with which the data was read, reused when the run meets a new file.
        data: the parts `train`, `valid` and, once scored, `test`.
        baseline: what naive methods learnt from the training part: the `mean` of the targets, the `unigram` frequencies.
    """

    schema: int = SCHEMA
    model: ModelConfig | None = None
    factory: str | None = None
    model_name: str
    task: Task
    class_names: tuple[str, ...]
    positive: str | None = None
    feature_names: tuple[str, ...] | None = None
    input_names: dict[str, tuple[str, ...]] = {}
    contract: dict[str, Any] = {}
    uses_call: bool = False
    options: dict[str, Any] = {}
    reading: dict[str, Any] = {}
    data: dict[str, DataRecord] = {}
    baseline: dict[str, Any] = {}


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run came from: `provenance.json`."""

    schema: int = SCHEMA
    created: str
    command: str
    seed: int
    versions: dict[str, str]
    device: str
    threads: int
    weights_sha256: str
    data: dict[str, DataRecord]
    policy: str | None = None
    policy_sha256: str | None = None

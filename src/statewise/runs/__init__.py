"""Runs: the directory a training leaves behind, its records, and how to have it again."""

from statewise.runs._config import DataRecord, Provenance, RunConfig
from statewise.runs._example import keep_example, read_example
from statewise.runs._factory import find_named, make_from_factory
from statewise.runs._files import RunFiles, read_document, write_document
from statewise.runs._history import encode_records, history_of, read_history
from statewise.runs._hold import held
from statewise.runs._records import Ended, EndReason, Epoch, History, Lags, Phase, Record, Started, Update
from statewise.runs._run import (
    Run,
    add_to_provenance,
    load,
    load_weights,
    make_provenance,
    read_tensors,
    record_data,
    save_weights,
    write_provenance,
)
from statewise.runs._scorings import Scorings, read_scorings, record_scoring, register_policy
from statewise.runs._seen import SeenSequences, count_seen, write_seen

__all__ = [
    "DataRecord",
    "EndReason",
    "Ended",
    "Epoch",
    "History",
    "Lags",
    "Phase",
    "Provenance",
    "Record",
    "Run",
    "RunConfig",
    "RunFiles",
    "Scorings",
    "SeenSequences",
    "Started",
    "Update",
    "add_to_provenance",
    "count_seen",
    "encode_records",
    "find_named",
    "held",
    "history_of",
    "keep_example",
    "load",
    "load_weights",
    "make_from_factory",
    "make_provenance",
    "read_document",
    "read_example",
    "read_history",
    "read_scorings",
    "read_tensors",
    "record_data",
    "record_scoring",
    "register_policy",
    "save_weights",
    "write_document",
    "write_provenance",
    "write_seen",
]

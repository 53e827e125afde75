"""How is an audit kept, and whose weights does it speak of? One JSON document, written whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch import Tensor

from statewise.auditing._check import Family
from statewise.auditing._outcome import Outcome
from statewise.contracts import Contract
from statewise.errors import ContractError, RunError
from statewise.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 1


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An audit as it is written: `audit.json`.

    Attributes:
        schema: version of this record.
        name: of the module's class, or of what else was examined.
        examines: what that is.
        weights_sha256: hash of the weights that were audited; empty where they are not known.
        contract: the fields of the contract that were declared or found; a function cannot be written, and is left out.
        sure: by field of the contract, how it came about; functions included.
        sampled: what the probes were made of.
        num_calls: how often a copy of the module was called.
        outcomes: one a check, by code.
    """

    schema: int = SCHEMA
    name: str
    weights_sha256: str
    contract: dict[str, Any]
    sure: dict[str, str]
    sampled: str
    num_calls: int
    outcomes: tuple[Outcome, ...]
    examines: Family = "module"


def weights_hash(tensors: Mapping[str, Any]) -> str:
    """Return a SHA-256 of weights: names, types, shapes and numbers, wherever they lie and however they are stored."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        if isinstance(tensor, Tensor):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def plain_fields(contract: Contract) -> dict[str, Any]:
    """Return the fields of a contract that say something and can be written down."""
    said = {name: getattr(contract, name) for name in contract.__struct_fields__}
    return {name: value for name, value in said.items() if value is not None and not callable(value)}


def contract_of(fields: Mapping[str, Any]) -> Contract:
    """Return the contract of such fields.

    Raises:
        msgspec.ValidationError: a field that no contract has.
        ContractError: a value that a field cannot have.
    """
    unknown = next((name for name in fields if name not in Contract.__struct_fields__), None)
    if unknown is not None:
        raise msgspec.ValidationError(f"no field of a contract is named {unknown!r}")
    return msgspec.structs.replace(Contract(), **fields)


def write_record(record: AuditRecord, path: Path | str) -> Path:
    """Write a record as JSON, whole or not at all."""
    return write_atomically(path, encode(record) + b"\n", asked="write the audit")


def encode(record: AuditRecord) -> bytes:
    """Return a record as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2)


def read_record(path: Path | str) -> AuditRecord:
    """Read a record back.

    Raises:
        RunError: the file is absent, damaged, or of another version.
    """
    try:
        content = Path(path).read_bytes()
        schema = msgspec.json.decode(content, type=dict[str, Any]).get("schema")
        if schema != SCHEMA:
            raise _unreadable(path, f"schema {schema!r}, this version reads {SCHEMA}", "Audit again, or use the version that wrote it.")
        record = msgspec.json.decode(content, type=AuditRecord)
        contract_of(record.contract)
    except OSError as problem:
        raise _unreadable(path, problem.strerror or str(problem), "Make it with 'statewise audit RUN'.") from problem
    except (msgspec.MsgspecError, UnicodeDecodeError, ContractError) as problem:
        raise _unreadable(path, f"damaged ({problem})", "Audit again, or restore it from a copy.") from problem
    return record


def _unreadable(path: Path | str, arrived: str, hint: str) -> RunError:
    return RunError(asked="read an audit", where=f"file '{path}'", arrived=arrived, hint=hint)

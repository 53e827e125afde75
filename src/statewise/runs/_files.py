"""Where does each part of a run lie, and how is it read so that damage is noticed?"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from statewise.errors import RunError, nearest
from statewise.files import PART, write_atomically
from statewise.runs._config import SCHEMA
from statewise.runs._hold import LOCK


class RunFiles:
    """The paths of a run's parts.

    Example:
        >>> RunFiles("runs/x").weights.name
        'model.safetensors'
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self.config = self.directory / "config.json"
        self.weights = self.directory / "model.safetensors"
        self.history = self.directory / "history.jsonl"
        self.checkpoints = self.directory / "checkpoints"
        self.validation = self.directory / "validation.parquet"
        self.predictions = self.directory / "predictions.parquet"
        self.evaluation = self.directory / "evaluation.json"
        self.audit = self.directory / "audit.json"
        self.data_audit = self.directory / "data_audit.json"
        self.verdict = self.directory / "verdict.json"
        self.provenance = self.directory / "provenance.json"
        self.scorings = self.directory / "scorings.json"
        self.seen = self.directory / "seen.json"
        self.example = self.directory / "example.safetensors"
        self.report = self.directory / "report.html"

    def is_unused(self) -> bool:
        """Return whether a run can begin here: there is nothing, or nothing but what a killed process left: its lock, halves of files."""
        if not self.directory.exists():
            return True
        return self.directory.is_dir() and not any(
            each.is_dir() or not (each.name == LOCK or _is_half(each)) for each in self.directory.iterdir()
        )

    def remove_halves(self) -> None:
        """Remove what a process that was killed while it wrote left behind."""
        for each in self.directory.rglob(".*"):
            if _is_half(each):
                each.unlink(missing_ok=True)


def _is_half(path: Path) -> bool:
    return path.name.startswith(".") and path.suffix == PART


Document = TypeVar("Document", bound=msgspec.Struct)


def write_document(path: Path, document: msgspec.Struct) -> None:
    """Write one record as indented JSON, whole or not at all."""
    write_atomically(path, msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n", asked=f"write {path.name}")


def read_document(path: Path, kind: type[Document]) -> Document:
    """Read one record and check its schema.

    Raises:
        RunError: the file is absent, damaged, or of another version.
    """
    asked = f"read {path.name}"
    try:
        content = path.read_bytes()
        schema = msgspec.json.decode(content, type=dict).get("schema")
        if schema != SCHEMA:
            raise RunError(
                asked=asked,
                where=f"file '{path}'",
                arrived=f"schema {schema!r}, this version reads {SCHEMA}",
                hint="Use the version that wrote it.",
            )
        return msgspec.json.decode(content, type=kind)
    except FileNotFoundError as problem:
        there = sorted(each.name for each in path.parent.iterdir()) if path.parent.is_dir() else []
        raise RunError(
            asked=asked,
            where=f"folder '{path.parent}'",
            arrived=f"no {path.name} in it" if there else "no such folder, or an empty one",
            hint=f"Name a run directory made by 'statewise fit'. {_siblings(path.parent)}",
        ) from problem
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, AttributeError) as problem:
        raise RunError(
            asked=asked,
            where=f"file '{path}'",
            arrived=f"damaged ({problem})",
            hint="Restore it from a copy, or run 'statewise fit' again.",
        ) from problem


def _siblings(folder: Path) -> str:
    beside = sorted(each.parent.name for each in folder.parent.glob("*/config.json")) if folder.parent.is_dir() else []
    return nearest(folder.name, beside) if beside else ""

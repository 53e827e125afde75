"""Under which conditions does every test run? One thread a worker, repeatable examples, plain output of 80 columns."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

# Read when torch is first imported, here and in child processes: two workers with a pool each would fight for the cores.
os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import jaxtyping
import pytest
import torch
from hypothesis import HealthCheck, settings

from tests._lean import lean

setattr(jaxtyping, "jaxtyped", lean)  # noqa: B010  # before anything of ours is imported; a type checker forbids the plain form

torch.set_num_threads(1)

# "repeatable" finds the same examples in every run; STATEWISE_HYPOTHESIS=explore looks for new ones and remembers failures.
_SHARED = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", _SHARED, derandomize=True, max_examples=20)
settings.register_profile("explore", _SHARED, derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("STATEWISE_HYPOTHESIS", "repeatable"))


@pytest.fixture(autouse=True)
def _plain_conditions(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Begin each test with the same seed, a plain terminal, and a cache that is not the user's."""
    torch.manual_seed(0)
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"NO_COLOR": "1", "COLUMNS": "80", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs deaf to Ctrl-C, which some tests press


@pytest.fixture(autouse=True)
def _audit_after_training_is_unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `fit` audit what it trained without the checks of types at each call: they take four times as long as the audit.

    What an audit does is tested with them in tests/auditing.
    """
    from statewise.auditing import audit
    from tests._unchecked import unchecked

    def audited(*given: Any, **options: Any) -> Any:
        with unchecked():
            return audit(*given, **options)

    monkeypatch.setattr("statewise.cli._finish.audit", audited)

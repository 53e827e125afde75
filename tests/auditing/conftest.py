"""How are many modules audited in a short time? In a process without the checks of types and shapes at each call."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.auditing.apart import Ask


@pytest.fixture(scope="session")
def apart() -> Iterator[Ask]:
    """Call one of the functions of `tests.auditing.apart` there: the checks take four times as long as the audits."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield lambda function, *given, **options: pool.submit(function, *given, **options).result()

"""How does a module of one's own stay sound from commit to commit? One assertion for pytest, unittest or a plain script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing import FailOn, audit, is_sound
from statewise.errors import OptionError
from statewise.training import drawn_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from statewise.contracts import Call, Contract
    from statewise.sequences import Sequences


def assert_sound(
    build: Callable[[], nn.Module],
    *,
    contract: Contract | None = None,
    call: Call | None = None,
    data: Sequences | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    fail_on: FailOn = "fail",
) -> None:
    """Assert that a module passes its audit, built anew for each seed.

    A module in which no check could be judged, or in which one ended in an error, does not pass. The caller's random numbers stay as they
    were.

    Args:
        build: returns the module, with fresh weights from torch's generator; a class without required arguments is one.
        contract: what the module promises; what is left None is read off, or tried.
        call: `lambda module, batch: output` or `(output, state)`, for what a contract cannot say.
        data: sequences that the module can read; without them values are drawn.
        select: codes, or beginnings of codes, of the checks to run; all where it is empty.
        ignore: codes, or beginnings of codes, that are not run.
        seeds: of the weights and of the probes.
        fail_on: the least that fails: `"fail"` or `"warn"`.

    Raises:
        AssertionError: what was found, as a table.
        ContractError: it is not known how the module is called, or it cannot be copied.
        OptionError: there is no seed, or `fail_on` is neither.

    Example:
        >>> import torch
        >>> assert_sound(lambda: torch.nn.LSTM(3, 4), seeds=(0, 1), select=["SW1"])
    """
    __tracebackhide__ = True  # pytest shows the caller's line
    if not seeds or fail_on not in {"fail", "warn"}:
        raise OptionError(
            asked="assert that a module is sound",
            where="seeds" if not seeds else "fail_on",
            arrived="none" if not seeds else repr(fail_on),
            hint="Give at least one seed: nothing asked is nothing known." if not seeds else "Give 'fail' or 'warn'.",
        )
    for seed in seeds:
        with drawn_apart(seed):
            module = build()
        found = audit(module, data, contract=contract, call=call, select=select, ignore=ignore, seed=seed)
        if not is_sound(found.outcomes, fail_on):
            raise AssertionError(f"built with seed {seed}, the module is not sound\n{found}")

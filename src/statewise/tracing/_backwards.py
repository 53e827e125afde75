"""How much does the last output change with what was read at each step? One run backwards, of the sequence that is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from statewise.contracts import Outputs
from statewise.errors import StatewiseError
from statewise.tracing._records import Stage
from statewise.training import (
    gradients,
    is_by_step,
    kind_of_taps,
    lags_of,
    looking_back,
    reach_of,
    reads_both_ways,
    same_draws,
    tapped,
    tell_lags,
)
from statewise.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.tracing._readout import Chances
    from statewise.tracing._seen import Again, Seen
    from statewise.training import Reach


def gradients_by_lag(seen: Seen, chances: Chances) -> Stage | None:
    """Return the norm of the gradient with respect to each step, the last step first; None, with a note, where there is none to be had."""
    kind = "nothing" if seen.again is None else kind_of_taps(seen.module, seen.again.inputs)
    if seen.again is None or seen.output is None or kind == "nothing":
        unread = "what the module reads has none: whole numbers, without an embedding"
        why = "the output could not be read" if seen.output is None else unread
        seen.notes.append(f"No gradients by lag: {why}.")
        return None
    try:
        with looking_back(seen.module):
            reach, followed = _follow(seen, seen.again, chances)
    except (StatewiseError, RuntimeError) as problem:
        seen.notes.append(f"No gradients by lag: the module failed where gradients are kept ({' '.join(str(problem).split())[:200]}).")
        return None
    found = lags_of([reach], both_ways=reads_both_ways(seen.module), inputs=kind)
    which = "what the core reads" if kind == "encoded inputs" else {"inputs": "the input", "embedded tokens": "the embedded token"}[kind]
    return Stage(
        name="gradient by lag",
        says=f"How much {followed} changes with {which} at each step: the norm of its gradient, by how many steps before the last. "
        + tell_lags(found),
        shape=counted(len(reach.norms), "lag"),
        values=torch.tensor(reach.norms).unsqueeze(1),
        axes=("lag", "norm"),
        columns=("norm",),
        view="lags",
    )


def _follow(seen: Seen, again: Again, chances: Chances) -> tuple[Reach, str]:
    num_steps = len(next(iter(seen.sequence.values())))
    output, leaves = _run(seen, again)
    value, followed = _followed(output, chances)
    found, by_output = gradients(value, leaves, output)
    squares = np.zeros(num_steps)
    for leaf, gradient in zip(leaves, found, strict=True):
        places = _places(seen, leaf, num_steps)
        if places is not None:
            squares += gradient.flatten()[places].double().square().sum(dim=1).cpu().numpy()
    reach = reach_of(np.sqrt(squares), num_steps - 1, float(by_output[-1]), leaves)
    return _with_cause(seen, again, reach, output), followed


def _run(seen: Seen, again: Again, change: Callable[[Tensor], Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
    """Return the output rows of the one sequence, with their graph, and the leaves."""
    with same_draws(seen.module), tapped(seen.module, again.inputs, change) as (inputs, leaves):
        result = again.run(inputs)
    if isinstance(result, Outputs):
        return result.values, leaves
    rows = seen.rows(result[0] if isinstance(result, (tuple, list)) else result)
    assert rows is not None, "the output was read before"
    return rows, leaves


def _followed(output: Tensor, chances: Chances) -> tuple[Tensor, str]:
    """Return the number whose gradient is followed, and what it is."""
    last = output[-1] if output.dtype == torch.float64 else output[-1].float()
    if chances.values is None:
        return last.norm(), "the norm of the last output" if len(output) > 1 else "the norm of the output"
    best = int(chances.values[-1].argmax())
    name = chances.column_names(chances.values.shape[1])[best]
    at = "at the last step, " if len(output) > 1 else ""
    return _log_probability(last, chances.values[-1].to(last), best), f"the log-probability of {name}, {at}the class predicted,"


def _log_probability(output: Tensor, chances: Tensor, best: int) -> Tensor:
    """Return the logarithm of one probability from the output it was made from; which way, the values of both tell."""

    def same(made: Tensor) -> bool:
        return made.shape == chances.shape and torch.allclose(made, chances, rtol=1e-4, atol=1e-6)

    if len(output) == 1 and len(chances) == 2:
        sign = 1.0 if best == 1 else -1.0
        if bool(torch.isclose(output[0].detach(), chances[1], rtol=1e-4, atol=1e-6)):
            return torch.log(output[0] if best == 1 else 1 - output[0])
        return functional.logsigmoid(sign * output[0])
    if same(output.detach()):
        return output[best].log()
    if same(output.detach().exp()):
        return output[best]
    if same(output.detach().sigmoid()):
        return functional.logsigmoid(output[best])
    return output.log_softmax(0)[best]


def _places(seen: Seen, leaf: Tensor, num_steps: int) -> Tensor | None:
    """Return where the numbers of each step of the one sequence lie in a leaf, `[num_steps, k]`; None where they cannot be told."""
    index: Any = torch.arange(leaf.numel(), device=leaf.device).view(leaf.shape)
    if seen.batch == 1:
        return index.reshape(num_steps, -1) if is_by_step(leaf, num_steps) else None
    rows = seen.rows(index)
    return rows.to(leaf.device) if rows is not None and len(rows) == num_steps else None


def _with_cause(seen: Seen, again: Again, reach: Reach, output: Tensor) -> Reach:
    """Tell a graph that was cut from steps that are not read, as `through_time` does."""
    if not reach.is_cut:
        return reach
    num_steps = len(reach.norms)

    def change(values: Tensor) -> Tensor:
        places = _places(seen, values, num_steps)
        if places is None:
            return values
        before, flat = places[: num_steps - 1 - reach.last].flatten(), values.flatten().clone()
        flat[before] = flat[before] * 0.5 - 0.5
        return flat.view(values.shape)

    if not torch.equal(_run(seen, again)[0], output):
        return reach
    return replace(reach, moved=not torch.equal(_run(seen, again, change)[0][-1], output[-1]))

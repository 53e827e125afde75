"""SW109 and SW110: does the graph end where it must, and only there?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from statewise.auditing._check import Found, check
from statewise.auditing._copies import own_numbers
from statewise.auditing._findings import bad, must_matter
from statewise.auditing._gradients import gradient_by_step
from statewise.auditing._subject import Failed, NoBackward, gap, size_of, weighed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from statewise.auditing._probe import Probe
    from statewise.auditing._subject import Subject


@check("SW109", "graph-kept-in-state", needs=("stateful",))
def graph_kept_in_state(subject: Subject) -> Found:
    """The state that a module keeps carries values into the next call, and no graph.

    How:
        Two windows are asked after each other, each with its backward pass, in training mode; the second must not reach into the first.
    Why:
        The second backward pass fails, or with retain_graph goes through every window so far: each is slower than the last.
    Mend:
        self.state = statewise.detach(state), or state.detach() of every tensor, before the next window.
    Seen in:
        sgadgil6/cnslab_fmri#4, MorvanZhou/PyTorch-Tutorial#57
    """
    module = subject.fresh().train()
    try:
        weighed(_answered(subject, subject.whole, module)).backward()
    except (Failed, RuntimeError) as problem:
        return Found(status="not_applicable", evidence=f"the first backward pass fails: {problem}")
    try:
        weighed(_answered(subject, subject.other_whole, module)).backward()
    except (Failed, RuntimeError) as problem:
        first = str(problem).splitlines()[0]
        return bad(subject, f"the backward pass of a second window fails: {first}")
    return Found(status="pass", evidence="two windows, each with its backward pass")


@check("SW110", "gradient-cut-between-steps", needs=("repeatable",), after=("SW505", "SW202"))
def gradient_cut_between_steps(subject: Subject) -> Found:
    """Where an earlier step changes a later answer, the gradient reaches it.

    How:
        The first step of sequences of one length is replaced: the last answers change. Their gradient to that step must not be zero
        both before and after.
    Why:
        Nothing is learned over more than one step, though the module remembers: the loss falls a little, and stops.
    Mend:
        Detach between windows alone, never between the steps of one; no .data, no torch.tensor(state), no no_grad around the recurrence.
    Seen in:
        dpressel/dliss-tutorial#1
    """
    whole = subject.whole
    before = _last(subject, subject.ask(whole).outputs)
    x = whole.x.clone()
    x[:, 0] = subject.other_whole.x[:, 0]
    control = gap(_last(subject, subject.ask(whole.with_x(x)).outputs), before)
    try:
        found = [sizes for probe in (whole, whole.with_x(x)) if (sizes := gradient_by_step(subject, probe)) is not None]
    except NoBackward as problem:
        return Found(status="warn", evidence=f"the backward pass fails: {problem}")
    # A unit that is shut, or passed over by a maximum, on one side of the change is open on the other.
    sizes = torch.stack(found).amax(0) if found else None
    given = whole.with_x(whole.x.to(subject.dtype).requires_grad_()) if whole.x.is_floating_point() else whole
    if not subject.ask(given, gradient=True).outputs.requires_grad:
        return Found(status="not_applicable", evidence="the outputs have no gradient at all")
    if not whole.holds_numbers and (sizes is None or whole.layout is not None):
        return Found(status="not_applicable", evidence="what each code is made into is not seen")
    # A code may be read a step later than it stands: of codes any earlier step will do.
    earlier = sizes if sizes is None or whole.holds_numbers else sizes[:-1].max().unsqueeze(0)
    reach = 0.0 if earlier is None else float(earlier[0])
    return must_matter(
        subject, reach, control=control, size=size_of(before),
        did="the gradient of the last answers to the first step", by="another first step",
    )  # fmt: skip


def _last(subject: Subject, outputs: Tensor) -> Tensor:
    return outputs[:, -1] if subject.contract.each == "step" else outputs


def _answered(subject: Subject, probe: Probe, module: nn.Module) -> Tensor:
    with own_numbers(subject.seed, subject.dtype):
        return subject.ask(probe, module, gradient=True).outputs

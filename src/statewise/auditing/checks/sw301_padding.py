"""SW301, SW302, SW304 and SW306: does padding reach what is real?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from statewise.auditing._alone import apart_from_alone
from statewise.auditing._check import Found, check
from statewise.auditing._cures import mask_turned, without_padding
from statewise.auditing._findings import bad, must_not_matter
from statewise.auditing._probe import spread
from statewise.auditing._subject import gap, size_of
from statewise.contracts import usual_mask

if TYPE_CHECKING:
    from torch import Tensor

    from statewise.auditing._subject import Subject

_PLACES = {"valid": "real steps", "padding": "padding"}
_MORE = 3
"""Steps of padding that are added."""


@check(
    "SW301",
    "padding-reaches-answers",
    needs=("repeatable", "lengths", "padding"),
    after=("SW304", "SW306", "SW202", "SW308", "SW313"),
    cure=without_padding,
)
def padding_reaches_answers(subject: Subject) -> Found:
    """What stands in the padding changes no answer.

    How:
        The padded steps are filled with values of other sequences, in their usual range. Where any number of zeros changes
        nothing, that is told and not held against the module: padding is made of zeros.
    Why:
        The answer about a sequence depends on how much it was padded, and so on the longest one in its batch.
    Mend:
        Read out at lengths - 1, not at [:, -1]; pack the sequences, or mask before pooling and before the softmax of an attention; a
        backward direction must begin at each sequence's own end. statewise.unroll needs none of it: there is no padding.
    Seen in:
        HHTseng/video-classification#39, castorini/castor#176, pytorch/pytorch#3662, facebookresearch/InferSent#51
    """
    before = subject.real(subject.ask(subject.probe), subject.probe)
    after = subject.real(subject.ask(subject.probe.with_x(_filled(subject, 0, None))), subject.probe)
    found = must_not_matter(
        subject, gap(after, before), control=_of_real_steps(subject, before), size=size_of(before),
        did="filling the padding with values of other sequences", by="another last real step",
    )  # fmt: skip
    return _or_only_told(subject, found, before)


@check(
    "SW302",
    "amount-of-padding-matters",
    needs=("repeatable", "padding_told"),
    after=("SW301", "SW304", "SW306", "SW312", "SW308", "SW313"),
    cure=without_padding,
)
def amount_of_padding_matters(subject: Subject) -> Found:
    """How many steps of padding there are changes no answer.

    How:
        Three more steps of zeros are appended to every sequence, whose lengths and mask stay.
    Why:
        The answer about a sequence depends on the longest one in its batch.
    Mend:
        Divide by the lengths and not by the padded length, count positions from the beginning, and give padding no share of a softmax.
    Seen in:
        facebookresearch/InferSent#51, fastai/fastai#882
    """
    probe, more = subject.probe, subject.probe.padded(_MORE)
    before, after = subject.real(subject.ask(probe), probe), subject.real(subject.ask(more), more)
    return must_not_matter(
        subject, gap(after, before), control=_of_real_steps(subject, before), size=size_of(before),
        did=f"adding {_MORE} steps of padding", by="another last real step",
    )  # fmt: skip


@check("SW304", "first-padded-step-counts", needs=("repeatable", "lengths", "padding"), cure=without_padding)
def first_padded_step_counts(subject: Subject) -> Found:
    """The step after the last real one is not read.

    How:
        The first padded step of each sequence is replaced alone, then all others are.
    Why:
        Each answer is about one step too many; what stands there depends on the batch.
    Mend:
        The last real step is lengths - 1; a mask of real steps is positions < lengths.
    """
    before = subject.real(subject.ask(subject.probe), subject.probe)
    first = gap(subject.real(subject.ask(subject.probe.with_x(_filled(subject, 0, 1))), subject.probe), before)
    later = gap(subject.real(subject.ask(subject.probe.with_x(_filled(subject, 1, None))), subject.probe), before)
    control = _of_real_steps(subject, before)
    if subject.is_real(later, control, size_of(before)):
        return Found(status="pass", evidence="no padded step differs from the others", value=first, control=control)
    found = must_not_matter(
        subject, first, control=control, size=size_of(before),
        did="replacing the first padded step alone", by="another last real step",
    )  # fmt: skip
    return _or_only_told(subject, found, before)


@check("SW306", "mask-inverted", needs=("repeatable", "lengths", "padding"), cure=mask_turned)
def mask_inverted(subject: Subject) -> Found:
    """Real steps are read, and padding is not: not the other way round.

    How:
        First every real step is replaced, then every padded one; and sequences are asked that have no padding at all. Where nothing was
        declared and a mask is read against what its name means elsewhere, that is told: callers will go by the name.
    Why:
        The module has learned from padding alone.
    Mend:
        PyTorch's key_padding_mask is True at padding, most other masks at real steps: write ~mask, or name it for what True means.
    """
    return _name_told(subject, _polarity(subject))


def _polarity(subject: Subject) -> Found:
    """Return whether real steps are read, and padding is not."""
    probe, donor = subject.probe.padded(2), subject.donor.padded(2)
    filling = torch.cat([subject.filling, subject.filling[:, :2]], 1)
    asked = (donor.padded_with(probe.x), probe.padded_with(filling))

    def effects(used: Subject) -> tuple[float, float, float]:
        before = used.real(used.ask(probe), probe)
        real, padding = (gap(used.real(used.ask(each), each), before) for each in asked)
        return real, padding, size_of(before)

    if not bool(subject.ask(subject.whole).outputs.isfinite().any()) and bool(subject.real(subject.ask(probe), probe).isfinite().all()):
        return bad(subject, "only sequences with padding get numbers: without any, nothing is left to read")
    real, padding, size = effects(subject)
    if not subject.is_real(real, padding, size) and subject.is_real(padding, 0.0, size):
        return bad(subject, f"replacing every real step changes nothing, replacing the padding {padding:.2g}", value=real, control=padding)
    turned_round = mask_turned(subject)
    if turned_round is None or (subject.is_real(real, 0.0, size) and not subject.is_real(padding, real, size)):
        return Found(
            status="pass", evidence=f"real steps change the answers by {real:.2g}, padding by {padding:.2g}", value=real, control=padding
        )
    turned_real, turned_padding, turned_size = effects(turned_round)
    if subject.is_real(turned_real, 0.0, turned_size) and not subject.is_real(turned_padding, turned_real, turned_size):
        turned = f"with its opposite by {turned_real:.2g} and {turned_padding:.2g}"
        evidence = f"with the mask as promised real steps change the answers by {real:.2g} and padding by {padding:.2g}, {turned}"
        return bad(subject, evidence, value=real, control=padding)
    return Found(status="pass", evidence="the opposite mask is no better", value=real, control=padding)


def _name_told(subject: Subject, found: Found) -> Found:
    """Return a mask that is read the other way round than its name says as something that is told, where nobody has declared it."""
    name, usual = usual_mask(subject.fresh()) or ("", None)
    means = subject.contract.mask
    if found.status != "pass" or subject.sure.get("mask") in {None, "declared"} or usual in {None, means}:
        return found
    evidence = f"{name} is read with True at {_PLACES[str(means)]}; in other libraries that name has True at {_PLACES[str(usual)]}"
    return replace(found, status="observed", evidence=evidence)


def _or_only_told(subject: Subject, found: Found, before: Tensor) -> Found:
    """Return a failure as something that is told, where padding as it is made, zeros, changes nothing however much there is of it."""
    if found.status not in {"fail", "warn"}:
        return found
    harm = max(*apart_from_alone(subject, subject.probe), *apart_from_alone(subject, subject.probe.padded(_MORE)))
    if subject.is_real(harm, found.control or 0.0, size_of(before)):
        return found
    return replace(found, status="observed", evidence=f"{found.evidence}; but zeros, as padding is made of, change nothing ({harm:.2g})")


def _filled(subject: Subject, first: int, end: int | None) -> Tensor:
    """Return the probe's values with other padded steps, of each row those from `first` to before `end` after its last real one."""
    probe = subject.probe
    after = (
        torch.arange(probe.time) - probe.lengths[:, None]
        if probe.side == "right"
        else probe.time - probe.lengths[:, None] - 1 - torch.arange(probe.time)
    )
    chosen = (after >= first) & (after < (probe.time if end is None else end))
    return torch.where(spread(chosen, probe.x), subject.filling, probe.x)


def _of_real_steps(subject: Subject, before: Tensor) -> float:
    """Return the effect of another last real step."""
    probe = subject.probe
    x = probe.x.clone()
    rows, last = torch.arange(probe.num_rows), probe.real_step(1)
    x[rows, last] = subject.donor.x[rows, last]
    return gap(subject.real(subject.ask(probe.with_x(x)), probe), before)

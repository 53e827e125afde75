"""What is said about each row of the probe where it is asked alone, cut to its own steps? Measured once, read by several checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._subject import gap

if TYPE_CHECKING:
    from torch import Tensor

    from statewise.auditing._probe import Probe
    from statewise.auditing._subject import Subject


def alone_of(subject: Subject) -> list[Tensor]:
    """Return the outputs about each row alone: of its steps `[steps, out]`, or of it as a whole `[out]`.

    Raises:
        Failed: the module raised.
    """
    probe = subject.probe
    return subject.once("alone", lambda: [subject.ask(probe.alone(row)).outputs[0] for row in range(probe.num_rows)])


def apart_from_alone(subject: Subject, probe: Probe) -> list[float]:
    """Return by how much what is said about each row differs from that, where a batch of the same rows is asked.

    Raises:
        Failed: the module raised.
    """
    outputs = subject.ask(probe).outputs
    return [gap(subject.row(outputs, probe, row), own) for row, own in enumerate(alone_of(subject))]

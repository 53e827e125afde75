"""SW205: are outputs laid out as promised?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._cures import outputs_turned
from statewise.auditing._findings import bad
from statewise.auditing._subject import WrongShape

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW205", "outputs-in-another-layout", cure=outputs_turned, of_failures=True)
def outputs_in_another_layout(subject: Subject) -> Found:
    """Outputs have the axes that the contract says, in its order.

    How:
        The probe, which has more steps than sequences, is asked; the shape of what comes back is compared with the contract.
    Why:
        Where batch and time happen to be as long, each output is laid beside the target of another step of another sequence.
    Mend:
        Give batch_first to every inner layer, transpose back before returning, and declare what forward really gives.
    Seen in:
        ndrplz/ConvLSTM_pytorch#22, exe1023/LSTM_LN#1
    """
    try:
        shape = subject.ask(subject.probe).shape
    except WrongShape as problem:
        turned = outputs_turned(subject)
        said = f"batch_first={subject.contract.batch_first}" if subject.contract.each == "step" else "one output a sequence"
        try:
            turned.ask(turned.probe)
        except WrongShape:
            return bad(subject, f"{problem.problem}: the contract says {said}")
        return bad(subject, f"{problem.problem}: the contract says {said}, and batch and time are exchanged")
    return Found(status="pass", evidence=f"outputs of shape {shape}")

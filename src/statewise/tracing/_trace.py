"""What happens to one sequence inside a model, stage by stage, with the real values?"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from statewise.contracts import Contract
from statewise.tracing._look import UserCall, look
from statewise.tracing._records import Trace
from statewise.tracing._stages import build_trace


def trace(
    model: Any,
    sequence: Any,
    *,
    contract: Contract | None = None,
    call: UserCall | None = None,
    row: int = 0,
    gradients: bool = False,
) -> Trace:
    """Run a model once on one sequence and show every stage: shapes and real values.

    No training is needed, and the model is left as it was: mode, gradients, buffers, attributes and random generators.
    It runs in eval mode, so dropout is off.

    Args:
        model: a model of `statewise.build`, a run, an nn.RNN, nn.LSTM or nn.GRU, a cell of these, a `Recurrent`, or any other
            module, trained or not.
        sequence: `[time, feature]` of any real type (brought to the model's precision), token numbers `[time]` for a model with
            an embedding, a `Ragged`, a dict of them, or `Sequences`. With three axes it is a batch, read in the order that the
            model's own recurrent part says.
        contract: how a stranger's module is called, where its signature does not tell.
        call: `lambda module, batch: output`, for everything that a contract cannot say.
        row: which sequence of several is shown.
        gradients: also run backwards: how much the log-probability of the predicted class, or the norm of the output where there
            are no classes, changes with what was read at each step. Where there is an output a step, it is the last one.

    Returns:
        The trace. Every recurrent part of torch is opened: run again step by step with its own weights, and compared with what
        it gave. Other parts are shown with what went in and out.

    Raises:
        ShapeError: the sequence does not fit; names the part that refused it, what it expects, what came, and the likely cause.
        ContractError: it is not known how the model is called, or it failed.
        DataError: the sequence holds no step, or no numbers.
        OptionError: the model is no module, or there is no such row.

    Example:
        >>> rnn = torch.nn.RNN(5, 4)
        >>> found = trace(rnn, torch.randn(10, 5))
        >>> [stage.shape for stage in found.stages][:3]
        ['10 steps x 5 features', '1 layer x batch 1 x hidden 4, zeros', '1 x 5 and 1 x 4 give 1 x 4']
    """
    return build_trace(look(model, sequence, contract=contract, call=call, row=row), gradients=gradients)


def demo_trace(seed: int = 0, *, gradients: bool = False) -> Trace:
    """Trace an untrained classifier on a random sequence: 10 steps of 5 features, 4 hidden units, 3 classes.

    Args:
        seed: draws the weights and the sequence; torch's own generator is not touched.
        gradients: also run backwards.

    Example:
        >>> [stage.name for stage in demo_trace().stages][0::2]
        ['input sequence', 'cell processing at each step', 'output']
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, sequence = Demo(), torch.randn(10, 5)
    contract = Contract(task="classify", takes=("x",), batch_first=True, output="logits")
    return trace(model, sequence, contract=contract, gradients=gradients)


class Demo(nn.Module):
    """A recurrent classifier in six lines: the state after the last step goes through a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(input_size=5, hidden_size=4, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits `[batch, 3]` of `[batch, time, 5]`."""
        outputs, _ = self.rnn(x)
        logits: Tensor = self.head(outputs[:, -1])
        return logits

"""statewise: recurrent sequence models whose hidden state can be trusted.

Every public name is loaded on first use, so that `import statewise` costs nothing and does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statewise import datasets as datasets
    from statewise import errors as errors
    from statewise import state as state
    from statewise import testing as testing
    from statewise.auditing import Audit as Audit
    from statewise.auditing import Outcome as Outcome
    from statewise.auditing import audit as audit
    from statewise.auditing import audit_data as audit_data
    from statewise.auditing import audit_history as audit_history
    from statewise.auditing import audit_predictions as audit_predictions
    from statewise.auditing import check_metric as check_metric
    from statewise.auditing import read_audit as read_audit
    from statewise.contracts import Contract as Contract
    from statewise.engine import Recurrent as Recurrent
    from statewise.engine import unroll as unroll
    from statewise.evaluation import Comparison as Comparison
    from statewise.evaluation import Cost as Cost
    from statewise.evaluation import Counts as Counts
    from statewise.evaluation import Estimate as Estimate
    from statewise.evaluation import Evaluation as Evaluation
    from statewise.evaluation import EventRules as EventRules
    from statewise.evaluation import Predictions as Predictions
    from statewise.evaluation import Threshold as Threshold
    from statewise.evaluation import choose_threshold as choose_threshold
    from statewise.evaluation import compare as compare
    from statewise.evaluation import evaluate as evaluate
    from statewise.evaluation import generate as generate
    from statewise.evaluation import predict as predict
    from statewise.evaluation import read_predictions as read_predictions
    from statewise.models import Model as Model
    from statewise.models import build as build
    from statewise.reporting import report as report
    from statewise.runs import Run as Run
    from statewise.runs import load as load
    from statewise.sequences import Ragged as Ragged
    from statewise.sequences import Sequences as Sequences
    from statewise.sequences import batches as batches
    from statewise.sequences import folds as folds
    from statewise.sequences import is_first_from_done as is_first_from_done
    from statewise.sequences import read as read
    from statewise.sequences import split as split
    from statewise.sequences import windows as windows
    from statewise.tracing import Trace as Trace
    from statewise.tracing import trace as trace
    from statewise.training import CrossValidation as CrossValidation
    from statewise.training import cross_validate as cross_validate
    from statewise.training import fit as fit
    from statewise.training import training_trace as training_trace
    from statewise.verdicts import Policy as Policy
    from statewise.verdicts import Reason as Reason
    from statewise.verdicts import Verdict as Verdict
    from statewise.verdicts import judge as judge
    from statewise.verdicts import read_policy as read_policy

__version__ = "0.1.0"

_MODULES = ("datasets", "errors", "state", "testing")
_NAMES = {
    "auditing": (*("Audit", "Outcome", "audit", "audit_data", "audit_history", "audit_predictions", "check_metric", "read_audit"),),
    "contracts": ("Contract",),
    "engine": ("Recurrent", "unroll"),
    "evaluation": (
        *("Comparison", "Cost", "Counts", "Estimate", "Evaluation", "EventRules", "Predictions", "Threshold"),
        *("choose_threshold", "compare", "evaluate", "generate", "predict", "read_predictions"),
    ),
    "models": ("Model", "build"),
    "reporting": ("report",),
    "runs": ("Run", "load"),
    "sequences": ("Ragged", "Sequences", "batches", "folds", "is_first_from_done", "read", "split", "windows"),
    "tracing": ("Trace", "trace"),
    "training": ("CrossValidation", "cross_validate", "fit", "training_trace"),
    "verdicts": ("Policy", "Reason", "Verdict", "judge", "read_policy"),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}

__all__ = sorted([*_MODULES, *_HOMES, "__version__"])  # noqa: PLE0605 - one table, and not a second list that could differ from it


if not TYPE_CHECKING:  # type checkers would take any misspelt name for an object

    def __getattr__(name: str) -> object:
        """Load a public name from its package, once."""
        if name in _MODULES:
            return import_module(f"statewise.{name}")
        if name not in _HOMES:
            raise AttributeError(_unknown(name), name=name)
        value = getattr(import_module(f"statewise.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """List the public names, loaded or not, and nothing else."""
    return list(__all__)


def _unknown(name: str) -> str:
    from statewise.errors import nearest

    return f"module 'statewise' has no attribute {name!r}. {nearest(name, __all__)}"

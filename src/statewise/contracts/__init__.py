"""How to call any module: what it promises, what can be read off it, and the padded edge for modules of others."""

from statewise.contracts._adapt import Adapted, Outputs, ReadsSequences, adapt, check_features, device_of, resolved, wrong_features
from statewise.contracts._batch import Batch, watched
from statewise.contracts._carry import Carrier, answers, carrier_of
from statewise.contracts._classes import class_probabilities, require_outputs
from statewise.contracts._contract import Contract
from statewise.contracts._door import Call, Door
from statewise.contracts._modes import evaluating
from statewise.contracts._signature import read_signature, usual_mask, usual_reset

__all__ = [
    "Adapted",
    "Batch",
    "Call",
    "Carrier",
    "Contract",
    "Door",
    "Outputs",
    "ReadsSequences",
    "adapt",
    "answers",
    "carrier_of",
    "check_features",
    "class_probabilities",
    "device_of",
    "evaluating",
    "read_signature",
    "require_outputs",
    "resolved",
    "usual_mask",
    "usual_reset",
    "watched",
    "wrong_features",
]

"""Is a module free of silent bugs of state, padding, batches and causality; are data, metrics and trainings free of theirs?"""

from statewise.auditing._audit import CUT_SHORT, Audit, Progress, audit, read_audit
from statewise.auditing._audit_data import audit_data
from statewise.auditing._check import Check, Family, all_checks, checks_of
from statewise.auditing._history import HistoryLike, audit_history
from statewise.auditing._metric import MetricTask, check_metric
from statewise.auditing._needs import NEEDS, needs_in_words
from statewise.auditing._outcome import Outcome
from statewise.auditing._predictions import PredictionsLike, audit_predictions
from statewise.auditing._record import AuditRecord, contract_of, encode, read_record, weights_hash, write_record
from statewise.auditing._selection import chosen, require_known
from statewise.auditing._soundness import FailOn, answer, held_against, is_sound, judged, listed_codes
from statewise.auditing._table import as_python, brief, by_reason, consequences_of

__all__ = [
    "CUT_SHORT",
    "NEEDS",
    "Audit",
    "AuditRecord",
    "Check",
    "FailOn",
    "Family",
    "HistoryLike",
    "MetricTask",
    "Outcome",
    "PredictionsLike",
    "Progress",
    "all_checks",
    "answer",
    "as_python",
    "audit",
    "audit_data",
    "audit_history",
    "audit_predictions",
    "brief",
    "by_reason",
    "check_metric",
    "checks_of",
    "chosen",
    "consequences_of",
    "contract_of",
    "encode",
    "held_against",
    "is_sound",
    "judged",
    "listed_codes",
    "needs_in_words",
    "read_audit",
    "read_record",
    "require_known",
    "weights_hash",
    "write_record",
]

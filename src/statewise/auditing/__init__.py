"""Is a module free of the silent bugs of hidden state, padding, batches and causality?"""

from statewise.auditing._audit import Audit, audit
from statewise.auditing._check import all_checks
from statewise.auditing._outcome import Outcome

__all__ = ["Audit", "Outcome", "all_checks", "audit"]

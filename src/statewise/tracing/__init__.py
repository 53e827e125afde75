"""Looking inside: what happens to one sequence in a model, stage by stage, with the real values."""

from statewise.tracing._records import Cell, Core, Stage, Submodule, Trace
from statewise.tracing._trace import demo_trace, trace

__all__ = ["Cell", "Core", "Stage", "Submodule", "Trace", "demo_trace", "trace"]

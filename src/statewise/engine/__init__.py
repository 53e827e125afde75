"""Running any recurrent module over sequences of unequal lengths, each exactly as if it ran alone."""

from statewise.engine._recurrent import Recurrent, is_recurrent, state_dtype
from statewise.engine._unroll import unroll

__all__ = ["Recurrent", "is_recurrent", "state_dtype", "unroll"]

"""Which data sets do the checks of data prove themselves on? Planted leaks of a stated strength, and clean sets in which there is none."""

from __future__ import annotations

from proving_ground.data.clean import CLEAN
from proving_ground.data.planted import PLANTED, Planted
from proving_ground.data.running import alarms, found

__all__ = ["CLEAN", "PLANTED", "Planted", "alarms", "found"]

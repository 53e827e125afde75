"""How is a number written on the page? As in the terminal, and exactly for whoever reads the page with a program."""

from __future__ import annotations

import math

from statewise.evaluation import figure as share
from statewise.evaluation import metric_words


def figure(value: float | None) -> str:
    """Return a share with three decimals; a dash where there is none.

    Example:
        >>> figure(0.9744), figure(None), figure(float("nan"))
        ('0.974', '–', 'undefined')
    """
    return "–" if value is None else share(value)


def loss(value: float | None) -> str:
    """Return a loss with four digits that count; absent is what was not finite.

    Example:
        >>> loss(1.23456), loss(2.0), loss(0.000012345), loss(None)
        ('1.235', '2.000', '1.234e-05', 'not finite')
    """
    return "not finite" if value is None else f"{value:#.4g}"


def plain(value: float) -> str:
    """Return a number as a person would write it.

    Example:
        >>> plain(0.8), plain(0.0001), plain(12345.678)
        ('0.80', '0.0001', '12,346')
    """
    if 0.01 <= abs(value) <= 1:
        text = f"{value:.2f}"
        return text if math.isclose(float(text), value) else f"{value:.4g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def count(number: int) -> str:
    """Return a count with its thousands apart.

    Example:
        >>> count(43824)
        '43,824'
    """
    return f"{number:,}"


def exact(value: float | None) -> float | None:
    """Return the number itself, or None for one that is absent or undefined."""
    return None if value is None or math.isnan(value) else value


def metric_label(name: str) -> str:
    """Return a metric's name as a reader knows it.

    Example:
        >>> metric_label("negative_predictive_value"), metric_label("f1"), metric_label("rmse"), metric_label("bits")
        ('negative predictive value', 'F1', 'RMSE', 'bits a token')
    """
    return "F1" if name == "f1" else metric_words(name)


def short(name: str, limit: int = 40) -> str:
    """Return a name that a user chose, cut where it stands within a sentence.

    Example:
        >>> short("fraud"), short("a very long name", limit=8)
        ('fraud', 'a very …')
    """
    return name if len(name) <= limit else f"{name[: limit - 1]}…"

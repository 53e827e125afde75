"""Reporting: a run in one HTML file that needs no network, and its charts as a picture."""

from __future__ import annotations

from statewise.reporting._report import report, save_picture

__all__ = ["report", "save_picture"]

"""The rows of the benchmark; each module holds `ROWS`, which the runner finds."""

"""Modules that have nothing wrong, one family a file; `CORRECT` is what is found."""

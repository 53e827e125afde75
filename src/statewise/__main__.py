"""Runs the command line as `python -m statewise`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from statewise.cli import main

    sys.exit(main())

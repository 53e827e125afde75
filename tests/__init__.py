"""The tests of statewise, and how strictly they check annotations at run time: as beartype does, but an int is a number too."""

from __future__ import annotations

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))

"""How are numbers, lists and sentences put into words, for every layer alike?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def counted(number: int, noun: str) -> str:
    """Return a count and what was counted, in one or many.

    Example:
        >>> counted(1, "sequence"), counted(1234, "sequence"), counted(2, "class")
        ('1 sequence', '1,234 sequences', '2 classes')
    """
    many = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else many}"


def listed(words: Iterable[str], *, joined: str = "and") -> str:
    """Return words as they stand in a sentence.

    Example:
        >>> listed(["accuracy", "precision", "F1"])
        'accuracy, precision and F1'
    """
    *first, last = words
    return f"{', '.join(first)} {joined} {last}" if first else last


def capital(text: str) -> str:
    """Return a text with a capital at its beginning, the rest as it is.

    Example:
        >>> capital("the SW101 test"), capital("")
        ('The SW101 test', '')
    """
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """Return a text that begins with a capital and ends with a stop.

    Example:
        >>> sentence("no finding"), sentence("Why not?"), sentence("")
        ('No finding.', 'Why not?', '')
    """
    return capital(text) + ("" if text.endswith((".", "!", "?")) or not text else ".")

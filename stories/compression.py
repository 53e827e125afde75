"""How few bits a character does a text need without a neural network? An adaptive n-gram, and xz: the peers of a model of characters.

The n-gram goes on learning while it reads the held-out text, as xz does and the model does not: it is given every advantage.
"""

from __future__ import annotations

import lzma
import math
from collections import defaultdict
from typing import NamedTuple

import numpy as np

LARGEST_ORDER = 7
BLOCK = 20_000
"""Characters of a block: long enough that what xz adds for one is known, and that blocks say little of each other."""


class NGram:
    """An interpolated n-gram of characters that learns from each character after it was predicted.

    The probability after a context mixes what has followed it with the probability after the shorter context, which weighs as much
    as the number of different characters seen there (Witten and Bell 1991). The shortest is uniform over the alphabet.
    """

    def __init__(self, alphabet_size: int, order: int) -> None:
        self.order = order
        self.alphabet_size = alphabet_size
        self.counts: list[defaultdict[str, dict[str, int]]] = [defaultdict(dict) for _ in range(order + 1)]
        self.totals: list[defaultdict[str, int]] = [defaultdict(int) for _ in range(order + 1)]

    def learn(self, text: str) -> None:
        """Count what follows each context of a text."""
        for order in range(self.order + 1):
            counts, totals = self.counts[order], self.totals[order]
            for place in range(order, len(text)):
                context, letter = text[place - order : place], text[place]
                seen = counts[context]
                seen[letter] = seen.get(letter, 0) + 1
                totals[context] += 1

    def read(self, text: str) -> np.ndarray:
        """Return the bits that each character of a text needs under each order from 0, `[order, characters]`, learning as it goes."""
        bits = np.empty((self.order + 1, len(text)))
        for place, letter in enumerate(text):
            probability = 1 / self.alphabet_size
            for order in range(self.order + 1):
                if order <= place:
                    context = text[place - order : place]
                    probability = self._after(order, context, letter, probability)
                bits[order, place] = -math.log2(probability)
            self._learn_one(text, place)
        return bits

    def _after(self, order: int, context: str, letter: str, shorter: float) -> float:
        seen = self.counts[order].get(context)
        if seen is None:
            return shorter
        return (seen.get(letter, 0) + len(seen) * shorter) / (self.totals[order][context] + len(seen))

    def _learn_one(self, text: str, place: int) -> None:
        for order in range(min(self.order, place) + 1):
            context = text[place - order : place]
            seen = self.counts[order][context]
            seen[text[place]] = seen.get(text[place], 0) + 1
            self.totals[order][context] += 1


class NGramBits(NamedTuple):
    """Bits of each character of each held-out text under an adaptive n-gram, and the order that validation chose."""

    order: int
    bits: list[np.ndarray]


def ngram_bits(train: list[str], valid: list[str], test: list[str], *, largest_order: int = LARGEST_ORDER) -> NGramBits:
    """Return the bits that an adaptive n-gram needs for each character of held-out texts.

    Args:
        train: texts to learn from.
        valid: texts that choose the order; learnt afterwards too.
        test: the held-out texts, in order.
        largest_order: orders from 0 to this one are tried.
    """
    letters = {letter for text in (*train, *valid, *test) for letter in text}
    model = NGram(len(letters), largest_order)
    for text in train:
        model.learn(text)
    order = int(np.concatenate([model.read(text) for text in valid], axis=1).sum(axis=1).argmin())
    return NGramBits(order, [model.read(text)[order] for text in test])


def xz_bits(train: list[str], test: list[str], *, block: int = BLOCK) -> list[np.ndarray]:
    """Return the bits that xz adds for each block of the held-out texts, spread evenly over its characters.

    The bits of a block are those by which the archive of all that comes before it grows: they sum up to size(train + test) -
    size(train). An archive is a multiple of four bytes, so a block should be long.
    """
    known = "".join(train).encode()
    size, found = _size(known), []
    for text in test:
        bits = np.empty(len(text))
        for begin in range(0, len(text), block):
            part = text[begin : begin + block]
            known += part.encode()
            before, size = size, _size(known)
            bits[begin : begin + block] = 8 * (size - before) / len(part)
        found.append(bits)
    return found


def _size(data: bytes) -> int:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 27}]
    return len(lzma.compress(data, format=lzma.FORMAT_XZ, filters=filters))

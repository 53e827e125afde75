"""How few bits a character does a text need without a neural network? An adaptive n-gram, and xz: the peers of a model of characters.

The n-gram goes on learning while it reads the held-out text, as xz does and the model does not: it is given every advantage.
"""

from __future__ import annotations

import lzma
import math
from collections import defaultdict
from typing import NamedTuple

LARGEST_ORDER = 7


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

    def read(self, text: str) -> list[float]:
        """Return the bits that a text needs under each order from 0, learning as it goes."""
        bits = [0.0] * (self.order + 1)
        for place, letter in enumerate(text):
            probability = 1 / self.alphabet_size
            for order in range(self.order + 1):
                if order <= place:
                    context = text[place - order : place]
                    probability = self._after(order, context, letter, probability)
                bits[order] -= math.log2(probability)
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
    """Bits a character of an adaptive n-gram, and the order that validation chose."""

    order: int
    bits: float


def ngram_bits(train: list[str], valid: list[str], test: list[str], *, largest_order: int = LARGEST_ORDER) -> NGramBits:
    """Return the bits a character that an adaptive n-gram needs for held-out texts.

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
    on_valid = [sum(bits) for bits in zip(*(model.read(text) for text in valid), strict=True)]
    order = min(range(len(on_valid)), key=on_valid.__getitem__)
    on_test = [sum(bits) for bits in zip(*(model.read(text) for text in test), strict=True)]
    return NGramBits(order, on_test[order] / sum(map(len, test)))


def xz_bits(train: list[str], test: list[str]) -> float:
    """Return the bits a character that xz adds for the held-out texts: size(train + test) - size(train), over their characters."""
    known, whole = "".join(train).encode(), "".join([*train, *test]).encode()
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 27}]
    sizes = [len(lzma.compress(data, format=lzma.FORMAT_XZ, filters=filters)) for data in (whole, known)]
    return 8 * (sizes[0] - sizes[1]) / sum(map(len, test))

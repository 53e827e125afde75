"""Which real data is there? One small set comes with the package; the others are fetched once, checked, and become long-form tables."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from statewise.datasets._cache import cache_folder
from statewise.datasets._get import find, get, is_here
from statewise.datasets._record import DataSet
from statewise.datasets._table import DATASETS

__all__ = ["DATASETS", "DataSet", "cache_folder", "find", "get", "is_here", "japanese_vowels"]


def japanese_vowels() -> tuple[Path, Path]:
    """Return the paths of the training and of the test file of Japanese Vowels, in its official split.

    Nine speakers utter two vowels: 270 and 370 utterances of 7 to 29 steps with 12 channels each; the task is to name the speaker.
    Kudo, Toyama and Shimbo, 1999; UCI Machine Learning Repository, CC BY 4.0: see ATTRIBUTION.txt beside the files.

    Example:
        >>> [path.name for path in japanese_vowels()]
        ['JapaneseVowels_TRAIN.ts', 'JapaneseVowels_TEST.ts']
    """
    folder = Path(str(files(__name__))) / "japanese_vowels"
    return folder / "JapaneseVowels_TRAIN.ts", folder / "JapaneseVowels_TEST.ts"

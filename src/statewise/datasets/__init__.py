"""Which real data comes with the package? One small set, so that the first run needs no download."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["japanese_vowels"]


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

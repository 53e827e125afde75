"""Which arrays does the pickle of shoulder-watch hold? A script for a process of its own: bytes in, npz out, and nothing is called.

It is started with `python -I`, so it imports nothing of this package. The unpickler knows the four names that an array of numbers needs;
any other name is refused before it is looked up.
"""

from __future__ import annotations

import io
import pickle
import sys

if __name__ == "__main__":
    sys.path.append(sys.argv[1])  # where numpy lies, should it be in the user's own folder, which -I leaves out

import numpy as np


def encode(text: str, encoding: str) -> bytes:
    """Return text as bytes: how old pickles spell the content of an array."""
    return text.encode("latin1" if encoding == "latin1" else "ascii")


RECONSTRUCT = np.ndarray(0).__reduce__()[0]
KNOWN = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("_codecs", "encode"): encode,
}


class ArraysOnly(pickle.Unpickler):
    """An unpickler of arrays, lists, dicts, text and numbers."""

    def find_class(self, module: str, name: str) -> object:
        """Return one of the known names."""
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return KNOWN[module, name]


def main() -> None:
    """Read the file from standard input and write its arrays to standard output."""
    file = io.BytesIO(sys.stdin.buffer.read())
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    data = ArraysOnly(file).load().item()
    arrays = {
        "values": np.concatenate([np.asarray(each, dtype=np.float64) for each in data["X"]]),
        "lengths": np.array([len(each) for each in data["X"]], dtype=np.int64),
        "exercise": np.asarray(data["y"], dtype=np.int64),
        "subject": np.asarray(data["subject"], dtype=np.int64),
        "side": np.asarray(data["side"], dtype=np.float64),
        "exercises": np.array(data["y_labels"], dtype=str),
    }
    np.savez(sys.stdout.buffer, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()

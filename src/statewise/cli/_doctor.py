"""`statewise doctor`: what is installed, what this machine has, and whether the engine computes what torch computes."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys

import msgspec
import torch
from torch import nn

from statewise import __version__
from statewise.cli._show import OutputFormat, say
from statewise.engine import unroll
from statewise.sequences import Ragged

_EXTRAS = {
    "data": ("polars", "pyarrow"),
    "metrics": ("torchmetrics",),
    "report": ("jinja2", "altair", "vl-convert-python"),
}
_BASE = ("torch", "numpy", "safetensors", "msgspec", "cyclopts", "rich", "jaxtyping")
_TOLERANCE = 1e-10


def doctor(*, output_format: OutputFormat = "text") -> int:
    """Show versions, devices and extras, and test the engine against torch.

    Ends with 0 when the self-test passed, else with 1.

    Args:
        output_format: text or json.
    """
    facts = {
        "statewise": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        **{name: _version(name) for name in _BASE},
        "threads": f"{torch.get_num_threads()} of {os.cpu_count()} cores",
        "devices": ", ".join(_devices()),
    }
    extras = {extra: {name: _version(name) for name in names} for extra, names in _EXTRAS.items()}
    gaps = self_test()
    sound = all(gap <= _TOLERANCE for gap in gaps.values())
    if output_format == "json":
        document = {"schema": 1, "facts": facts, "extras": extras, "self_test": gaps, "sound": sound}
        say(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        return 0 if sound else 1
    for name, fact in facts.items():
        say(f"{name:<12} {fact}")
    for extra, packages in extras.items():
        missing = [name for name, version in packages.items() if version == "not installed"]
        versions = ", ".join(f"{name} {version}" for name, version in packages.items())
        say(f"extra {extra:<8}{versions}{f'  ->  pip install statewise[{extra}]' if missing else ''}")
    for kind, gap in gaps.items():
        answer = "sound" if gap <= _TOLERANCE else "WRONG"
        say(f"self-test    {kind}: largest difference from torch, sequence by sequence, {gap:.1e}: {answer}")
    return 0 if sound else 1


def self_test() -> dict[str, float]:
    """Return, for each kind of core, the largest difference between `unroll` and torch on each sequence alone, in float64."""
    gaps = {}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for kind in (nn.RNN, nn.LSTM, nn.GRU):
            core = kind(3, 4, num_layers=2, bidirectional=True, dtype=torch.float64).eval()
            sequences = [torch.randn(length, 3, dtype=torch.float64) for length in (5, 1, 9, 4)]
            outputs, _ = unroll(core, Ragged.from_list(sequences))
            alone = [core(sequence.unsqueeze(1))[0].squeeze(1) for sequence in sequences]
            gaps[kind.__name__] = float((outputs.values - torch.cat(alone)).abs().max())
    return gaps


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _devices() -> list[str]:
    found = ["cpu"]
    found += [f"cuda:{number} ({torch.cuda.get_device_name(number)})" for number in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return found

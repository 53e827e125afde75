"""Models with a recurrent core: how they are built, what they consist of."""

from statewise.models._build import build
from statewise.models._config import ModelConfig
from statewise.models._model import Model

__all__ = ["Model", "ModelConfig", "build"]

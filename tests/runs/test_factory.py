"""Does `file.py:function` make the module it names, and is every slip told?"""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from statewise.errors import OptionError
from statewise.runs import make_from_factory

SOURCE = """
from torch import nn

def make_model():
    return nn.GRU(2, 3)

ready = nn.GRU(2, 4)
number = 3

def needs(size):
    return nn.GRU(2, size)

def wrong():
    return 3

class Own(nn.Module):
    pass

def raises():
    sizes = {}
    return nn.GRU(2, sizes["hidden"])

def deep():
    return nn.GRU(2, -1)

def ours():
    import statewise
    return statewise.build("gru", input_size=-1)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "models.py"
    path.write_text(SOURCE)
    return path


def test_a_function_a_class_and_a_module_make_a_module(file: Path) -> None:
    made = make_from_factory(f"{file}:make_model")
    assert isinstance(made, nn.GRU)
    assert made.hidden_size == 3
    assert isinstance(make_from_factory(f"{file}:ready"), nn.GRU)
    assert type(make_from_factory(f"{file}:Own")).__name__ == "Own"
    assert isinstance(make_from_factory("torch.nn:Identity"), nn.Identity)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("make_modell", "Did you mean 'make_model'"),
        ("needs", "it needs size"),
        ("wrong", "it made an int"),
        ("number", "an int"),
    ],
)
def test_a_slip_is_told_with_the_nearest_right_name(file: Path, name: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        make_from_factory(f"{file}:{name}")


@pytest.mark.parametrize(("target", "says"), [("models", "no name after a colon"), ("no_such_package:f", "No module named")])
def test_a_target_without_a_place_is_refused(target: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        make_from_factory(target)


def test_a_misspelt_file_is_named_with_the_one_beside_it(file: Path) -> None:
    with pytest.raises(OptionError, match=r"Did you mean 'models\.py'"):
        make_from_factory(f"{file.with_name('model.py')}:make_model")


def test_what_a_factory_raises_is_told_with_its_own_line(file: Path) -> None:
    with pytest.raises(OptionError, match=r"it raised KeyError: 'hidden'") as told:
        make_from_factory(f"{file}:raises")
    line = 1 + SOURCE.splitlines().index('    return nn.GRU(2, sizes["hidden"])')
    assert f"'{file}', line {line}" in told.value.where
    assert 'sizes["hidden"]' in told.value.where


def test_what_torch_raises_is_told_with_the_line_that_called_it(file: Path) -> None:
    with pytest.raises(OptionError, match="it raised ValueError") as told:
        make_from_factory(f"{file}:deep")
    assert "return nn.GRU(2, -1)" in told.value.where


def test_an_error_of_ours_within_a_factory_stays_as_it_is(file: Path) -> None:
    with pytest.raises(OptionError) as told:
        make_from_factory(f"{file}:ours")
    assert "it raised" not in str(told.value)


@pytest.mark.parametrize(
    ("source", "says"),
    [("def broken(:\n", "SyntaxError"), ("import no_such_package\n", "no_such_package"), ("1 / 0\n", "ZeroDivisionError")],
)
def test_a_file_that_cannot_be_run_is_told_with_its_line(tmp_path: Path, source: str, says: str) -> None:
    path = tmp_path / "broken_source.py"
    path.write_text(source)
    with pytest.raises(OptionError, match=says) as told:
        make_from_factory(f"{path}:make")
    assert "line 1" in told.value.where

"""Does `import statewise` cost nothing, and does every public name work however it is reached?"""

from __future__ import annotations

import ast
import inspect
import json
import random
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import statewise

SOURCE = Path(statewise.__file__).parent
NAMES = sorted(set(statewise.__all__) - {"__version__"})
HEAVY = ("altair", "jinja2", "numpy", "pandas", "polars", "pyarrow", "scipy", "sklearn", "torch", "torchmetrics", "vl_convert")


def loaded_after(code: str, *watched: str) -> set[str]:
    """Return which of the `watched` packages a fresh interpreter has imported after it ran `code`."""
    report = f"\nimport json, sys\nprint('\\n' + json.dumps([name for name in {watched!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code + report], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_watch_sees_a_package_that_is_imported() -> None:
    assert loaded_after("import msgspec", "msgspec", "torch") == {"msgspec"}


def test_importing_statewise_imports_nothing_heavy() -> None:
    assert loaded_after("import statewise; dir(statewise); statewise.__version__", *HEAVY, "msgspec", "rich", "cyclopts") == set()


def test_help_imports_nothing_heavy_and_ends_with_0() -> None:
    code = (
        "import runpy, sys\nsys.argv = ['statewise', '--help']\n"
        "try:\n    runpy.run_module('statewise', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code"
    )
    assert loaded_after(code, *HEAVY) == set()


def test_python_dash_m_runs_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "statewise", "--help"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "judge" in done.stdout
    assert done.stderr == ""


# Each package goes first once, the others follow in a circle, forwards and backwards: so each is loaded before each other. The modules
# of statewise are dropped in between; what they rest on (torch, ...) stays, since the order in which that is imported is not ours.
PACKAGES_IN_CIRCLES = """
import json, sys
homes = json.loads(sys.argv[1])
for circle in (list(homes), list(homes)[::-1]):
    for start in range(len(circle)):
        for module in [each for each in sys.modules if each.split(".")[0] == "statewise"]:
            del sys.modules[module]
        import statewise
        order = [name for home in circle[start:] + circle[:start] for name in homes[home]]
        first = {name: getattr(statewise, name) for name in order}
        for name, value in first.items():
            assert getattr(statewise, name) is value, (circle[start], name)
"""


def test_loading_one_package_spoils_no_name_of_another_in_any_order() -> None:
    homes = {home: list(names) for home, names in statewise._NAMES.items()} | {name: [name] for name in statewise._MODULES}
    done = subprocess.run([sys.executable, "-c", PACKAGES_IN_CIRCLES, json.dumps(homes)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("seed", range(3))
def test_all_names_can_be_touched_twice_in_a_random_order_in_a_fresh_interpreter(seed: int) -> None:
    order = [*NAMES, *NAMES]
    random.Random(seed).shuffle(order)  # noqa: S311 - an order, not a secret
    code = (
        f"import statewise as sw\nseen = {{}}\nfor name in {order!r}:\n"
        "    value = getattr(sw, name)\n    assert seen.setdefault(name, value) is value, name\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_star_import_gives_every_public_name() -> None:
    space: dict[str, object] = {}
    exec("from statewise import *", space)  # noqa: S102 - a star import is allowed at the top of a module alone
    assert set(NAMES) <= set(space)


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_has_a_docstring_of_its_own(name: str) -> None:
    value = getattr(statewise, name)
    text = value.__doc__ or ""
    assert text.strip()
    assert not text.startswith(f"{name}("), "a dataclass without a docstring has its signature for one"
    if inspect.isclass(value):
        inherited = {base.__doc__ for base in value.__mro__[1:]}
        assert text not in inherited


def test_no_module_has_the_name_of_a_public_function() -> None:
    """Loading a module `statewise.audit` would put it in the place of a function of that name."""
    modules = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert modules & set(statewise.__all__) == set(statewise._MODULES)


def test_dir_lists_the_public_names_and_nothing_else() -> None:
    assert dir(statewise) == sorted(statewise.__all__)
    assert not [name for name in dir(statewise) if name.startswith("_") and name != "__version__"]


def test_each_public_name_has_one_home_that_exports_it() -> None:
    for name, home in statewise._HOMES.items():
        assert name in import_module(f"statewise.{home}").__all__, (home, name)


def test_type_checkers_and_the_interpreter_see_the_same_names() -> None:
    tree = ast.parse(Path(statewise.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    typed = {(node.module, each.asname) for node in block.body if isinstance(node, ast.ImportFrom) for each in node.names}
    served = {(f"statewise.{home}", name) for name, home in statewise._HOMES.items()}
    assert typed == served | {("statewise", name) for name in statewise._MODULES}


@given(st.from_regex(r"[a-z_]{1,12}", fullmatch=True).filter(lambda name: name not in statewise.__all__))
def test_an_unknown_name_is_an_attribute_error_that_names_it(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        statewise.__getattr__(name)


def test_a_misspelt_name_is_told_the_nearest_one() -> None:
    with pytest.raises(AttributeError, match="Did you mean 'Ragged'"):
        statewise.Raged  # type: ignore[attr-defined]  # noqa: B018 - reaching for it is the test

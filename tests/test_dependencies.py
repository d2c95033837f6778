"""Environments without extras: files import only installed packages, and messages name missing extras."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jaxconv.errors import MissingExtraError, needs_extra

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = {  # names of modules that differ from those of their distributions
    "orbax-checkpoint": "orbax",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "tomli-w": "tomli_w",
    "z3-solver": "z3",
}
OURS = {
    "jaxconv",
    "benchmarks",
    *(path.stem for folder in ("tests", "experiments") for path in (ROOT / folder).rglob("*.py")),
}
FILES = sorted(
    path
    for folder in ("jaxconv", "tests", "benchmarks", "experiments")
    for path in (ROOT / folder).rglob("*.py")
)
# These files are imported by a file that asks for PyTorch first, or by a function.
ASK_FOR_TORCH = {"benchmarks/twins.py", "benchmarks/trainable_torch.py"}

EXTRAS = ("figures", "train", "lineax", "prove")
# Rooms or modules that load packages of an extra, and name the extra if a package is missing.
MAY_LOAD = {
    "figures": ("figures",),
    "training": ("train",),
    "demo": EXTRAS,
    "linalg/lineax.py": ("lineax",),
    "operators/lineax.py": ("lineax",),
}


def names(*extras):
    """Yields the modules of the dependencies that pyproject.toml declares, and of its extras."""
    optional = PROJECT["optional-dependencies"]
    for line in PROJECT["dependencies"] + [line for extra in extras for line in optional[extra]]:
        distribution = re.match(r"[A-Za-z0-9_.-]+", line)[0]
        yield MODULES.get(distribution, distribution)


def loaded(body):
    """Yields the modules that a file imports when it is loaded, up to a call of importorskip."""
    for node in body:
        if isinstance(node, ast.Expr | ast.Assign) and "importorskip" in ast.dump(node):
            return
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        elif isinstance(node, ast.If | ast.With | ast.For | ast.ClassDef):
            yield from loaded(node.body)
        # A `try` handles missing packages; a function is called later.


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_load_what_is_installed(path):
    """Rooms load the dependencies and extras that they name; other files load whatever the tests need."""
    relative = path.relative_to(ROOT).as_posix()
    inside = relative.removeprefix("jaxconv/")
    extras = [extra for place in MAY_LOAD if inside.startswith(place) for extra in MAY_LOAD[place]]
    allowed = {*names(*(extras if inside != relative else (*EXTRAS, "dev"))), *OURS, *sys.stdlib_module_names}
    if relative in ASK_FOR_TORCH:
        allowed.add("torch")
    found = set(loaded(ast.parse(path.read_text()).body))
    assert found <= allowed, f"{relative} needs {sorted(found - allowed)}, which is not a dependency."


def test_files_that_need_torch_are_imported_only_by_those_that_ask_for_it():
    """Such a file is imported in functions, by another one of them, or after importorskip."""
    forbidden = {name.removesuffix(".py").replace("/", ".") for name in ASK_FOR_TORCH}
    for path in FILES:
        if path.relative_to(ROOT).as_posix() in ASK_FOR_TORCH:
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Expr | ast.Assign) and "importorskip" in ast.dump(node):
                break
            targets = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                targets = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            assert not forbidden & set(targets), f"{path.name} imports {sorted(forbidden & set(targets))}"


def asked_for(node):
    """Yields the packages without which a piece of code is skipped."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "importorskip":
            yield call.args[0].value


def test_tests_that_ask_for_peers_are_marked():
    """Continuous integration runs the tests without them, installs them, and then runs the marked tests."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(path.read_text())
        whole_file = any(isinstance(node, ast.Assign) and "peers" in ast.dump(node) for node in tree.body)
        for node in tree.body:
            helper = isinstance(node, ast.FunctionDef) and not node.name.startswith("test_")
            marks = [ast.dump(decorator) for decorator in getattr(node, "decorator_list", [])]
            if not (helper or whole_file or any("peers" in mark for mark in marks)):
                assert not {"torch", "keras"} & set(asked_for(node)), f"{path.name}, line {node.lineno}"


CORE = "jaxconv, jaxconv.cli, jaxconv.data, jaxconv.models, jaxconv.nn, jaxconv.segmentation"
WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""


def without(missing, statement):
    """Runs a statement in a Python process in which packages are missing."""
    code = WITHOUT.format(missing=sorted(missing)) + statement
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_the_core_loads_without_extras():
    """Orbax stays, because flax depends on it and loads it."""
    missing = set(names(*EXTRAS)) - set(names()) - {"orbax"}
    done = without(missing, f"import {CORE}\nprint(*sys.modules)")
    assert done.returncode == 0, done.stderr
    assert not missing & set(done.stdout.split())


@pytest.mark.parametrize(
    ("package", "module", "extra"),
    [
        ("matplotlib", "figures", "figures"),
        ("tomli_w", "training", "train"),
        ("orbax", "demo", "all"),
        ("lineax", "operators.lineax", "lineax"),
    ],
)
def test_a_missing_extra_is_named(package, module, extra):
    line = f"jaxconv.{module} needs {package}; install it by: pip install 'jaxconv[{extra}]'"
    done = without([package], f"import jaxconv.{module}")
    assert done.stderr.splitlines()[-1] == f"jaxconv.errors.MissingExtraError: {line}"


def test_a_command_names_a_missing_extra_in_one_line():
    done = without(
        ["matplotlib"],
        "from jaxconv.cli import main\nmain('matrix --input 4 --kernel 2 --out C.png'.split())",
    )
    assert done.returncode == 2
    assert done.stderr == (
        "jaxconv: jaxconv.figures needs matplotlib; install it by: pip install 'jaxconv[figures]'\n"
    )


def test_other_failures_of_an_import_are_not_a_missing_extra():
    with pytest.raises(ModuleNotFoundError, match=r"jaxconv\.nowhere"), needs_extra("this", "all"):
        importlib.import_module("jaxconv.nowhere")
    with pytest.raises(ImportError, match="cannot import name") as error, needs_extra("this", "all"):
        from math import nowhere  # noqa: F401
    assert not isinstance(error.value, MissingExtraError)

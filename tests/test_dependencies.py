"""What an environment without extras may import: everything that is imported when a file is loaded."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = {  # of distributions that have another name
    "orbax-checkpoint": "orbax",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "tomli-w": "tomli_w",
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
# They are imported by a file that asks for PyTorch first, or by a function.
ASK_FOR_TORCH = {"benchmarks/twins.py", "benchmarks/trainable_torch.py"}


def names(*extras):
    """Modules of the dependencies that pyproject.toml declares."""
    optional = PROJECT["optional-dependencies"]
    for line in PROJECT["dependencies"] + [line for extra in extras for line in optional[extra]]:
        distribution = re.match(r"[A-Za-z0-9_.-]+", line)[0]
        yield MODULES.get(distribution, distribution)


def loaded(body):
    """Modules that a file imports when it is loaded, up to a line that skips it where one is missing."""
    for node in body:
        if isinstance(node, ast.Expr | ast.Assign) and "importorskip" in ast.dump(node):
            return
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.If | ast.With | ast.For | ast.ClassDef):
            yield from loaded(node.body)
        # A `try` minds what is missing, a function is called later.


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_load_without_extras(path):
    relative = path.relative_to(ROOT).as_posix()
    allowed = {*names(), *OURS, *sys.stdlib_module_names}
    if not relative.startswith("jaxconv/"):
        allowed |= set(names("dev"))
    if relative in ASK_FOR_TORCH:
        allowed.add("torch")
    found = set(loaded(ast.parse(path.read_text()).body))
    assert found <= allowed, f"{relative} needs {sorted(found - allowed)}, which no dependency brings."


def test_nobody_loads_files_that_ask_for_torch():
    """Such a file is imported inside of functions, by another one of them, or after a skip."""
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
    """What a piece of code skips without."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "importorskip":
            yield call.args[0].value


def test_tests_that_ask_for_peers_are_marked():
    """Continuous integration installs them after a run without, and then runs what has the mark."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(path.read_text())
        whole_file = any(isinstance(node, ast.Assign) and "peers" in ast.dump(node) for node in tree.body)
        for node in tree.body:
            helper = isinstance(node, ast.FunctionDef) and not node.name.startswith("test_")
            marks = [ast.dump(decorator) for decorator in getattr(node, "decorator_list", [])]
            if not (helper or whole_file or any("peers" in mark for mark in marks)):
                assert not {"torch", "keras"} & set(asked_for(node)), f"{path.name}, line {node.lineno}"

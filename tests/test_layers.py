"""The rooms of the package: who may import whom, and how light `import jaxconv` stays."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jaxconv

PACKAGE = Path(jaxconv.__file__).parent
# A module imports only from rooms that stand before its own, or from its own.
ROOMS = [
    "errors", "limits", "geometry", "core", "matrix", "convolution", "operators", "interop", "linalg",
    "figures", "explorer", "claims", "nn", "models", "data", "segmentation", "training", "demo",
    "cli", "__main__",
]  # fmt: skip
RANK = {room: rank for rank, room in enumerate(ROOMS)}
LAZY = [  # loaded when used, not by `import jaxconv`
    "matplotlib", "lineax", "equinox", "flax", "optax", "sklearn", "PIL", "tyro", "rich",
    "scipy.sparse", "jax.experimental.sparse",
]  # fmt: skip


def modules():
    """Every module of the package by its dotted name; packages by their own."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(name):
    """The package's modules that a module imports anywhere in its text, functions included."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base]).rstrip(".")
            targets = [f"{base}.{alias.name}" for alias in node.names if alias.name != "__version__"]
            targets = [target if target in MODULES else base for target in targets]
        else:
            continue
        yield from {target for target in targets if target in MODULES and target != name}


def room(name):
    return name.split(".")[1]


def test_every_module_has_a_room():
    assert {room(name) for name in MODULES if "." in name} <= set(RANK)


@pytest.mark.parametrize("name", [name for name in MODULES if "." in name])
def test_imports_come_from_lower_rooms(name):
    allowed = RANK[room(name)]
    for other in imports(name):
        if other == "jaxconv":  # the public list stands above every room but the command line
            assert room(name) in ("demo", "cli", "__main__"), f"{name} imports the package that imports it"
        elif room(other) != room(name):
            assert RANK[room(other)] < allowed, f"{name} imports {other}, which stands above it"


def test_geometry_is_integers():
    for name, path in MODULES.items():
        if name.startswith("jaxconv.geometry"):
            assert not re.search(r"^\s*(import|from) jax\b", path.read_text(), re.MULTILINE), name


def exports(path):
    """Names that a package's own file imports from its modules, inside of `with` and `if` too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module, {alias.asname or alias.name for alias in node.names}


@pytest.mark.parametrize(
    "name", [n for n, path in MODULES.items() if path.name == "__init__.py" and "." in n]
)
def test_no_module_hides_what_its_package_exports(name):
    """Else importing the module would put it in the place of the function."""
    own = {other.rpartition(".")[2] for other in MODULES if other.rpartition(".")[0] == name}
    for module, names in exports(MODULES[name]):
        assert module == name or not names & own, f"{name}: {names & own}"


def floors():
    """Rooms by floor: a room stands above all that it imports."""
    uses = {room: set() for room in ROOMS}
    for name in MODULES:
        if "." in name:
            uses[room(name)] |= {room(other) for other in imports(name) if "." in other} - {room(name)}
    floor = {}
    for name in ROOMS:  # in the order in which they may import
        floor[name] = 1 + max((floor[other] for other in uses[name]), default=0)
    return floor, sum(map(len, uses.values()))


def test_rooms_floors_and_arrows_stay_few():
    """Rooms, floors and arrows between rooms; more of them want a reason."""
    floor, arrows = floors()
    assert len(floor) <= 20
    assert max(floor.values()) <= 14
    assert arrows <= 99


def test_no_module_imports_itself_by_a_detour():
    """Inside a room too. A package's own file may list its modules, which do not import it."""
    graph = {name: set(imports(name)) for name in MODULES if name != "jaxconv"}
    done, path = set(), []

    def visit(name):
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name in done or name == "jaxconv":
            return
        path.append(name)
        for other in graph[name]:
            visit(other)
        done.add(path.pop())

    for name in graph:
        visit(name)


def loaded_by(statement):
    """The modules in memory after a statement in a fresh interpreter."""
    code = f"import sys; {statement}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_the_public_list_is_short():
    """What completion shows: the names that most programs need, and the subpackages."""
    assert len(jaxconv.__all__) <= 32
    assert set(jaxconv.__all__) <= set(dir(jaxconv))
    assert len([name for name in dir(jaxconv) if not name.startswith("_")]) <= 48


@pytest.mark.parametrize("name", [*jaxconv.__all__, *jaxconv.operators.__all__, *jaxconv.interop.__all__])
def test_public_names_can_be_imported(name):
    assert getattr(jaxconv, name) is not None


def test_import_stays_light():
    extra = loaded_by("import jaxconv") - loaded_by("import jax")
    assert not [name for name in LAZY if name in extra]
    assert "jaxconv" in extra

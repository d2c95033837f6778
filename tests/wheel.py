"""The wheel alone in a fresh environment: what works without extras, and the line that names a missing one.

Run by continuous integration: python tests/wheel.py
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
WITHOUT_EXTRAS = "import jaxconv; from jaxconv import data, models, nn, segmentation; print(jaxconv.__file__)"
WORKING = (
    "verify --claim counts --claim relationship-14 --trials 3",
    "arithmetic --input 6 --kernel 3 --strides 2",
    "matrix --input 4 --kernel 2",
    "matrix --input 4 --kernel 2 --out C.npz",
    "explore --input 4 --kernel 2 --out explorer.html",
)
MISSING = {  # the extra that the command names
    "matrix --input 4 --kernel 2 --out C.png": "figures",
    "train digits_unet": "train",
    "demo": "all",
}


# What a student does first, and an editor for completion.
EVERYTHING_LISTED = """
from jaxconv import *
import inspect, pydoc, jaxconv
assert conv_matrix and explain
inspect.getmembers(jaxconv, inspect.isfunction)
assert "conv_matrix" in pydoc.render_doc(jaxconv)
"""


def pip(python: Path | str, *arguments: str) -> None:
    """Runs pip, with the versions that everything else is tested with."""
    options = ("--quiet", "--disable-pip-version-check")
    subprocess.run([python, "-m", "pip", *arguments, *options], check=True, cwd=ROOT)


def install(folder: Path) -> Path:
    """Builds the wheel and installs it into a new environment. Returns the folder of its programs."""
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(folder), ".")
    (wheel,) = folder.glob("jaxconv-*.whl")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    pip(programs / "python", "install", "-c", "constraints.txt", str(wheel))
    return programs


def run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess:
    """Runs a program outside of the repository, and captures its output and exit status."""
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=folder, env=outside, capture_output=True, text=True)


def main() -> None:
    """Checks what works, then what is missing, and prints both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = install(folder)
        done = run(folder, programs / "python", "-c", WITHOUT_EXTRAS)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(str(folder)), f"imported from {done.stdout}"
        done = run(folder, programs / "python", "-W", "error", "-c", EVERYTHING_LISTED)
        assert done.returncode == 0, done.stderr
        for command in WORKING:
            done = run(folder, programs / "jaxconv", *command.split())
            assert done.returncode == 0, f"{command}\n{done.stderr}"
            print(f"works without extras: jaxconv {command}")
        for command, extra in MISSING.items():
            done = run(folder, programs / "jaxconv", *command.split())
            assert (done.returncode, done.stderr.count("\n")) == (2, 1), f"{command}\n{done.stderr}"
            assert done.stderr.endswith(f"install it by: pip install 'jaxconv[{extra}]'\n"), done.stderr
            print(f"jaxconv {command}: {done.stderr.strip()}")
        done = run(folder, programs / "python", "-c", "from jaxconv import ConvOperator")
        assert done.returncode == 1, "ConvOperator was imported without lineax"
        assert done.stderr.endswith("install it by: pip install 'jaxconv[lineax]'\n"), done.stderr
        print(f"ConvOperator: {done.stderr.splitlines()[-1]}")


if __name__ == "__main__":
    main()

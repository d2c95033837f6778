"""Messages about mistakes on the command line; `test_messages_training` has those of trainings."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from messages import BadCall, check

from jaxconv.cli.arithmetic import arithmetic
from jaxconv.cli.convolution import GeometryOptions, matrix
from jaxconv.cli.segmentation import class_weights, predict
from jaxconv.cli.training import Processes, config_file, train
from jaxconv.errors import ConfigError, DataError, GeometryError, OptionError, SizeError
from jaxconv.training.run_folder import RunError


def arithmetic_of(*padding: str, size: tuple[int, ...] = (6, 7)) -> Callable[[], object]:
    return lambda: arithmetic(GeometryOptions(size, (3,), padding=padding))


def matrix_of(size: int = 4, **options: object) -> Callable[[], object]:
    return lambda: matrix(GeometryOptions((size,), (3,)), **options)


def within(action: Callable[[Path], object]) -> Callable[[], object]:
    """Calls an action on a folder that is deleted afterwards."""

    def call() -> object:
        with TemporaryDirectory() as folder:
            return action(Path(folder))

    return call


def kernel_file(array: object) -> Callable[[], object]:
    def call(folder: Path) -> object:
        np.save(folder / "w.npy", array, allow_pickle=True)
        return matrix_of(kernel_file=folder / "w.npy")()

    return within(call)


def text_as_kernel(folder: Path) -> object:
    (folder / "w.npy").write_text("1 2 3")
    return matrix_of(kernel_file=folder / "w.npy")()


def run_without_config(folder: Path) -> object:
    (folder / "checkpoints").mkdir()
    return config_file(folder)


CASES = [
    BadCall(
        "padding of no word",
        arithmetic_of("SMAE"),
        ("--padding must be one of VALID", "got SMAE"),
        OptionError,
    ),
    BadCall(
        "a padding mode as padding",
        arithmetic_of("circular"),
        ("--padding-mode circular", "--padding a number"),
        OptionError,
    ),
    BadCall(
        "a batch without explanation",
        lambda: arithmetic(GeometryOptions((6,), (3,)), batch=8),
        ("--batch 8", "--explain"),
        OptionError,
    ),
    BadCall(
        "a configuration that is not there",
        lambda: config_file(Path("nope.toml")),
        ("the file nope.toml does not exist", "'nope' is not a configuration"),
        ConfigError,
    ),
    BadCall(
        "a pair on two axes",
        arithmetic_of("1,2"),
        ("--padding", "2 spatial axes", "got 1,2. Write --padding 1,2 1,2"),
        OptionError,
    ),
    BadCall(
        "a pair with a space",
        arithmetic_of("1", "2", size=(6,)),
        ("--padding", "Write --padding 1,2 for low and high"),
        OptionError,
    ),
    BadCall("a kernel beyond the input", matrix_of(2), ("spans 3 cells", "`padding`"), GeometryError),
    BadCall("a matrix too large to print", matrix_of(999), ("too large to print", "--out C.npz"), SizeError),
    BadCall(
        "a matrix of no format",
        matrix_of(out=Path("C.csv")),
        ("--out", ".npz, .mtx, .png", "C.csv"),
        OptionError,
    ),
    BadCall(
        "a kernel of text", within(text_as_kernel), ("--kernel-file", "w.npy is not a .npy file"), DataError
    ),
    BadCall(
        "a kernel of objects", kernel_file(np.array([{}])), ("--kernel-file", "not a .npy file"), DataError
    ),
    BadCall("a kernel of words", kernel_file(np.array(["a"])), ("--kernel-file", "64 bits"), DataError),
    BadCall(
        "a kernel of another shape", kernel_file(np.ones(4)), ("kernel", "(3, 1, 1)", "(4,)"), GeometryError
    ),
    BadCall(
        "a checkpoint without --resume",
        lambda: train(Path("digits_unet"), checkpoint="best"),
        ("--checkpoint best", "--resume"),
        OptionError,
    ),
    BadCall(
        "processes without --distributed",
        Processes(processes=2).join,
        ("--coordinator, --processes and --process", "--distributed"),
        OptionError,
    ),
    BadCall(
        "some options of processes",
        Processes(distributed=True, processes=2).join,
        ("--coordinator, --processes and --process", "together"),
        OptionError,
    ),
    BadCall(
        "devices of several processes",
        lambda: train(Path("digits_unet"), devices=2, processes=Processes(distributed=True)),
        ("--devices", "one process", "--distributed"),
        OptionError,
    ),
    BadCall(
        "a configuration of no name",
        lambda: config_file(Path("digit_unet")),
        ("'digit_unet'", "`digits_unet`"),
        ConfigError,
    ),
    BadCall(
        "a file that is not there",
        lambda: config_file(Path("/nowhere/a.toml")),
        ("the configuration /nowhere/a.toml does not exist",),
        FileNotFoundError,
    ),
    BadCall(
        "a folder of no run",
        within(config_file),
        ("is not the folder of a run", "`config.toml`"),
        ConfigError,
    ),
    BadCall("a run without configuration", within(run_without_config), ("missing", "--resume"), RunError),
    BadCall(
        "another data set", lambda: class_weights(dataset="shaps"), ("--dataset", "`shapes`"), OptionError
    ),
    BadCall(
        "no pixels at once",
        lambda: predict(Path("run"), (), out=Path("out"), max_pixels=0),
        ("`max_pixels` must be at least 1",),
        OptionError,
    ),
    BadCall(
        "a halo below 0",
        lambda: predict(Path("run"), (), out=Path("out"), halo=-1),
        ("`halo` must be at least 0, got -1.",),
        OptionError,
    ),
    BadCall(
        "a prediction without a run",
        within(lambda folder: predict(folder, (), out=folder / "out")),
        ("is not the folder of a run", "`checkpoints`"),
        ConfigError,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)

"""The commands that use a trained network, and the one that counts classes before a training."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from jaxconv.cli.screen import console
from jaxconv.errors import OptionError

Run = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
Inputs = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE_OR_FOLDER")]
ConfigFile = Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="CONFIG")]
Split = Literal["train", "val", "test"]
Checkpoint = Literal["best", "last"]


def evaluate(
    run: Run,
    /,
    data: Path | None = None,
    split: Split = "val",
    checkpoint: Checkpoint = "best",
    void_as_false_positive: bool = False,
    batch_size: int = 8,
    json: Path | None = None,
) -> None:
    """Computes the scores of a run's network on a split, at the resolution of the labels.

    Args:
      run: Folder that `jaxconv train` wrote.
      data: Folder of the data; by default the one on which the run was trained.
      split: Split of the data set.
      checkpoint: The best checkpoint on the validation split, or the last.
      void_as_false_positive: Count predictions on void pixels against the class, as ReSeg's own code does.
      batch_size: Examples per batch.
      json: File for the scores.
    """
    from rich.progress import Progress

    from jaxconv.training import evaluate as scores_of
    from jaxconv.training import load, open_data
    from jaxconv.training.run_folder import recorded_data

    network = load(run, checkpoint)
    dataset = open_data(network.config, split, data or recorded_data(run))
    if json is not None:  # a file that cannot be written is refused before the work
        json.parent.mkdir(parents=True, exist_ok=True)
        json.touch()
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(f"evaluating on {split}", total=len(dataset))
        scores = scores_of(
            network,
            dataset,
            batch_size=batch_size,
            void_as_false_positive=void_as_false_positive,
            progress=lambda count: bar.advance(task, count),
        )
    _show(scores, split, network.step)
    if json is not None:
        result = {"run": str(run), "checkpoint": checkpoint, "step": network.step, "split": split, **scores}
        json.write_text(json_format.dumps(result, indent=2) + "\n")


def _show(scores: dict[str, Any], split: str, step: int) -> None:
    """Prints the scores that `evaluate` returns."""
    from rich.table import Table

    where = f"{scores['examples']} examples of {split}, step {step}"
    if scores["task"] == "classification":
        _print_line(
            f"top-1 {_format_number(scores['top1'])}, top-5 {_format_number(scores['top5'])}: {where}"
        )
        return
    table = Table("class", "IoU")
    table.columns[1].justify = "right"
    for name, value in scores["per_class_iou"].items():
        table.add_row(name, _format_number(value))
    console.print(table)
    for key, name in {
        "mean_iou": "mean IoU",
        "global_accuracy": "global accuracy",
        "mean_class_accuracy": "mean class accuracy",
        "frequency_weighted_iou": "frequency-weighted IoU",
    }.items():
        _print_line(f"{name:24}{_format_number(scores[key])}")
    size = scores["resolution"]
    at = "labels of several sizes" if size == "mixed" else f"labels of {size[0]} x {size[1]}"
    void = "; void counted as false positives" if scores["void_as_false_positive"] else ""
    _print_line(f"{where}, {at}{void}")


def predict(
    run: Run,
    inputs: Inputs,
    /,
    out: Path,
    checkpoint: Checkpoint = "best",
    max_pixels: int = 2**20,
    halo: int = 128,
) -> None:
    """Labels images with a run's network; the exit status is 1 if an image could not be read.

    Args:
      run: Folder that `jaxconv train` wrote.
      inputs: Images, and folders of images.
      out: Folder for the results: labels/NAME.png, whose values are the classes, and overlays/NAME.png;
        for a classifier classes.json.
      checkpoint: The best checkpoint on the validation split, or the last.
      max_pixels: Largest image, in pixels, that the network sees at once; larger ones are cut into tiles.
      halo: Pixels on each side of a tile that the network sees but whose labels are dropped; half of the
        network's receptive field leaves no seams.
    """
    from rich.progress import Progress

    from jaxconv.geometry.arguments import at_least_one, integer
    from jaxconv.training import load
    from jaxconv.training.inference import label_files, name_images

    at_least_one("max_pixels", max_pixels, error=OptionError)
    if integer("halo", halo) < 0:
        raise OptionError(f"`halo` must be at least 0, got {halo}.")
    network, names = load(run, checkpoint), name_images(inputs, out)
    with Progress(console=console, transient=True) as bar:
        problems = []
        outcomes = label_files(network, names, out, max_pixels=max_pixels, halo=halo)
        for problem in bar.track(outcomes, len(names), description="labelling"):
            problems += [] if problem is None else [problem]
    for problem in problems:
        _print_line(f"skipped: {problem}")
    _print_line(f"{len(names) - len(problems)} of {len(names)} images labelled, written to {out}")
    if problems:
        raise SystemExit(1)


def class_weights(
    config: ConfigFile = None,
    /,
    data: Path | None = None,
    dataset: str = "camvid",
    split: Split = "train",
) -> None:
    """Counts how often each class occurs, and prints weights for the loss (median frequency balancing).

    Args:
      config: Configuration, or folder of a run, whose data are counted.
      data: Folder of the data, for data sets that are read from files.
      dataset: Name of the data set, if no configuration is given.
      split: Split of the data set.
    """
    from rich.table import Table

    from jaxconv.data import DATASETS
    from jaxconv.segmentation import class_frequencies, median_frequency_weights
    from jaxconv.training import Config, open_data
    from jaxconv.training.options import suggestion

    if config is not None:
        from jaxconv.cli.training import config_file
        from jaxconv.training.run_folder import recorded_data

        data = data or (recorded_data(config) if config.is_dir() else None)
        examples = open_data(Config.read(config_file(config)), split, data)
    elif dataset in DATASETS:
        examples = DATASETS[dataset](split, data)
    else:
        raise OptionError(f"--dataset {dataset} is not a data set{suggestion(dataset, DATASETS)}")
    with console.status(f"counting the labels of {len(examples)} examples"):
        frequencies = class_frequencies(examples)
        weights = median_frequency_weights(frequencies)
    table = Table("class", "frequency", "weight")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, frequency, weight in zip(examples.classes.names, frequencies, weights, strict=True):
        table.add_row(name, "absent" if frequency != frequency else f"{frequency:.4f}", f"{weight:.4f}")
    console.print(table)
    _print_line(
        "Frequencies are counted over the images that contain the class. For [loss] in a configuration:"
    )
    _print_line(f"class_weights = [{', '.join(f'{weight:.4f}' for weight in weights)}]")


def export(
    run: Run,
    /,
    out: Path | None = None,
    size: tuple[int, int] | None = None,
    output: Literal["labels", "probabilities"] = "labels",
    platforms: tuple[Literal["cpu", "cuda", "rocm", "tpu"], ...] = ("cpu", "cuda", "tpu"),
    checkpoint: Checkpoint = "best",
) -> None:
    """Exports a run's network as one file (StableHLO) that jax runs without jaxconv, described in JSON.

    Args:
      run: Folder that `jaxconv train` wrote.
      out: File to write; by default network.stablehlo in the folder of the run.
      size: Rows and columns of the images; by default those on which the network was trained.
      output: The likeliest class, or the probability of each class.
      platforms: Platforms on which the program can run.
      checkpoint: The best checkpoint on the validation split, or the last.
    """
    from jaxconv.training import load
    from jaxconv.training.export import write_export

    network = load(run, checkpoint)
    out = out or run / "network.stablehlo"
    file, beside = write_export(network, out, size or network.size, output=output, platforms=platforms)
    _print_line(f"{file}, {file.stat().st_size:,} bytes, described in {beside}")


def _format_number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _print_line(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)

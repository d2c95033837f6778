"""The experiments run, at a small size, and agree with what a hand can check."""

import importlib
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxconv

pytestmark = pytest.mark.slow

FOLDER = Path(jaxconv.__file__).parents[1] / "experiments"


@pytest.fixture
def experiment(monkeypatch):
    """Imports an experiment by its name."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


@pytest.fixture
def how_often(experiment):
    return experiment("how_often_is_it_the_transpose")


# size, kernel, stride, dilation, padding -> option, kind, cells too many, shift: by hand, 3 outputs.
BY_HAND = [
    # relationship 14's figure: (1, 1) around 5 cells leave 5 of 6, and the sixth is not zero
    ((6, 3, 2, 1, (1, 1)), "lax, both", "other size, shared cells right", -1, 0),
    ((6, 3, 2, 1, (1, 1)), "lax, use_consistent_padding", "other size, shared cells wrong", -1, 0),
    # where span - 1 - p = p the two meanings of a pair agree, and only the flip is left to ask for
    ((5, 3, 2, 1, (1, 1)), "lax.conv_transpose", "flipped kernel", 0, 0),
    ((5, 3, 2, 1, (1, 1)), "flax ConvTranspose", "flipped kernel", 0, 0),
    ((5, 3, 2, 1, (1, 1)), "lax, transpose_kernel", "equal", 0, 0),
    ((5, 3, 2, 1, (1, 1)), "flax, transpose_kernel", "equal", 0, 0),
    ((5, 3, 2, 1, (1, 1)), "lax, both", "equal", 0, 0),
    # 3 cells without padding make 1 of 5, the one that belongs to index 2
    ((5, 3, 1, 1, (0, 0)), "lax, transpose_kernel", "other size, shared cells wrong", -4, -2),
    ((5, 3, 1, 1, (0, 0)), "lax, both", "equal", 0, 0),
    # (0, 1) where (1, 0) is due
    ((3, 2, 1, 1, (0, 1)), "lax, transpose_kernel", "shifted", 0, -1),
    ((3, 2, 1, 1, (0, 1)), "lax.conv_transpose", "flipped and shifted", 0, -1),
    # SAME returns s cells for each of y, and VALID no fewer
    ((5, 3, 2, 1, "SAME"), "lax, both", "other size, shared cells wrong", 1, 1),
    ((6, 3, 2, 1, "SAME"), "lax, both", "equal", 0, 0),
    ((8, 2, 3, 1, "VALID"), "lax, both", "other size, shared cells right", 1, 0),
    ((9, 2, 3, 1, "VALID"), "lax, both", "equal", 0, 0),
    # SAME_LOWER pads y low where its transpose pads high, or is refused
    ((3, 2, 1, 1, "SAME_LOWER"), "lax, transpose_kernel", "shifted", 0, 1),
    ((3, 2, 1, 1, "SAME_LOWER"), "lax, both", "refused", None, None),
    ((6, 2, 2, 1, "SAME_LOWER"), "flax, transpose_kernel", "refused", None, None),
]


def test_how_often_by_hand(how_often, tmp_path):
    cases = list(dict.fromkeys(how_often.Case(*numbers) for numbers, *_ in BY_HAND))
    answers = how_often.main(tmp_path, cases)
    found = {(answer.option, answer.case): answer for answer in answers}
    for numbers, option, *expected in BY_HAND:
        answer = found[option, how_often.Case(*numbers)]
        assert [answer.kind, answer.extra_cells, answer.shift] == expected, answer
    assert found["lax, both", cases[0]].lost_cells == 1
    assert {a.kind for a in answers if a.option == "vjp of lax's convolution"} == {"equal"}
    assert len(json.loads((tmp_path / "answers.json").read_text())["answers"]) == len(answers)
    assert (tmp_path / "answers.png").stat().st_size > 0


def test_how_often_numbers(how_often):
    """C-transposed y of 1, 10, 100 with the taps 1, 2, 3, written out, and lax's closest answer."""
    y, kernel = jnp.array([1.0, 10.0, 100.0])[None, :, None], jnp.array([1.0, 2.0, 3.0])[:, None, None]
    case = how_often.Case(6, 3, 2, 1, (1, 1))
    g = case.geometry
    x, _ = how_often.transpose_and_bound(y, kernel, input_shape=g.input_shape, **g.options)
    assert x.tolist() == [2, 13, 20, 130, 200, 300]
    assert np.ravel(how_often.OPTIONS["lax, both"](y, kernel, case)).tolist() == [2, 13, 20, 130, 200]


def test_how_often_expects_the_matrix(how_often):
    """The expected answers are those of the explicit C."""
    for case in (how_often.Case(6, 3, 2, 1, (1, 1)), how_often.Case(8, 4, 3, 1, "SAME_LOWER")):
        y, kernel = how_often.operands(case.kernel)
        x, bound = how_often.expected(case)
        assert (abs(jaxconv.conv_matrix(kernel, case.geometry).T @ np.ravel(y) - x) <= bound).all()


def test_how_often_grid(how_often):
    cases = how_often.grid()
    assert len(set(cases)) == len(cases) == 336
    assert how_often.Case(6, 3, 2, 1, (1, 1)) in cases


def test_unrolled_against_sliding(experiment, monkeypatch, tmp_path):
    """Windows and multiplications counted, scores equal within rounding; no times."""
    module = experiment("unrolled_against_sliding")
    monkeypatch.setattr(module, "CALLS", 3)
    rows = module.main(tmp_path, (32, 41))
    assert [row.windows for row in rows] == [1, 9]
    assert rows[0].multiplications == 1
    lenet = 28 * 28 * 25 * 6 + 10 * 10 * 150 * 16 + 400 * 120 + 120 * 84 + 840
    larger = 37 * 37 * 25 * 6 + 14 * 14 * 150 * 16 + 9 * (400 * 120 + 120 * 84 + 840)
    assert module.multiplications(32) == lenet
    assert rows[1].multiplications == 9 * lenet / larger
    assert sorted(rows[1].sliding) == [1, 9]
    report = json.loads((tmp_path / "times.json").read_text())
    assert [row["size"] for row in report["maps"]] == [32, 41]
    assert (tmp_path / "times.png").stat().st_size > 0
    model = module.classifier()
    for leaf in jax.tree.leaves(nnx.state(model)):
        assert leaf.dtype == np.float32
    x = jax.random.normal(jax.random.key(module.SEED), (1, 41, 41, 1), jnp.float32)
    scores = jaxconv.fully_convolutional(model, (32, 32))(x)
    graph, state = nnx.split(model)
    positive = nnx.merge(graph, jax.tree.map(abs, state))  # sums the magnitudes of what the scores sum
    magnitude = float(jaxconv.sliding_windows(positive, abs(x), (32, 32), 4).max())
    terms = 25 + 150 + 400 + 120 + 84 + 2 * 4 + 5
    assert rows[1].gap * float(abs(scores).max()) <= 2 * terms * np.finfo(np.float32).eps * magnitude


def test_effective_receptive_field(experiment, tmp_path):
    module = experiment("effective_receptive_field")
    rows = module.main(tmp_path, size=47, samples=2)
    # 1 + 15 * 2; 1 + 2 * (1 + 2 + 4 + 8); by hand, jumps 1 1 2 2 4 4; by hand, jumps 1 1 1 2 2 2 4 4
    assert [row.theoretical for row in rows] == [31, 31, 1 + 2 + 2 + 4 + 4 + 8 + 8, 1 + 4 + 1 + 8 + 2 + 16]
    assert [row.jump for row in rows] == [1, 1, 4, 4]
    assert all(row.width <= row.theoretical for row in rows)
    report = json.loads((tmp_path / "fields.json").read_text())
    assert [row["theoretical"] for row in report["networks"]] == [row.theoretical for row in rows]
    assert (tmp_path / "fields.png").stat().st_size > 0


def test_effective_receptive_field_stays_inside(experiment):
    """No gradient outside of the theoretical field, some on each of its sides."""
    module = experiment("effective_receptive_field")
    for name in module.NETWORKS:
        _, effective, (rows, columns) = module.measure(name, 43, 1)
        inside = np.zeros(effective.shape, bool)
        inside[rows.start : rows.stop, columns.start : columns.stop] = True
        assert (effective[~inside] == 0).all(), name
        sides = (rows.start, slice(None)), (rows.stop - 1, slice(None)), (slice(None), columns.start)
        assert all(effective[side].any() for side in sides), name


def test_translation_robustness(experiment, tmp_path):
    module = experiment("translation_robustness")
    rows = module.main(tmp_path, maps=3, size=12, windows=(2, 3))
    found = {(row.way, row.window, row.shift): row.change for row in rows}
    assert len(found) == 4 * (3 + 4)
    assert all(change == 0 for (_, _, shift), change in found.items() if shift == 0)
    assert (tmp_path / "changes.png").stat().st_size > 0
    # by NumPy: edges in loops, then the mean of windows of 3x3, shifted by 2
    x = np.asarray(module.edges(3, 12 + 3), np.float64)
    pool = lambda x: x.reshape(3, 4, 3, 4, 3, 4).mean((2, 4))  # noqa: E731
    first, right, down = (pool(part) for part in (x[:, :12, :12], x[:, :12, 2:14], x[:, 2:14, :12]))
    moved = (((right - first) ** 2).sum() + ((down - first) ** 2).sum()) / 2
    expected = np.sqrt(moved / ((first - first[[2, 0, 1]]) ** 2).sum())
    rounding = (first.size + 4 / expected) * np.finfo(np.float32).eps  # of a norm, of differences
    assert abs(found["average pooling", 3, 2] - expected) <= rounding * expected
    # a map not pooled does not know the window
    assert found["not pooled", 2, 1] == found["not pooled", 3, 1]


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("learned_fixed_nearest_upsampling", ["learned", "fixed", "nearest"]),
        ("class_balance", ["cross-entropy", "median frequency", "focal"]),
        ("renet_sweeps", ["no sweeps", "1 layer, paper", "1 layer, released"]),
    ],
)
def test_experiments_that_train(experiment, monkeypatch, tmp_path, name, ways):
    """Every way becomes a configuration that can be read, and its scores a table, a picture and numbers."""
    module, shared = experiment(name), experiment("repeated_trainings")
    configs = []

    def no_train(config, folder, **options):
        configs.append(config)
        per_class = {str(c): 0.1 * c + 0.01 * config.seed for c in range(10)} | {"background": 0.9}
        rest = dict.fromkeys(("mean_iou", "global_accuracy", "mean_class_accuracy"), 0.5 + 0.1 * config.seed)
        return {**rest, "per_class_iou": per_class, "seconds": 1.0}

    monkeypatch.setattr(shared, "train", no_train)
    found = module.main(tmp_path, seeds=(0, 2))
    assert list(dict.fromkeys(one.way for one in found)) == ways
    assert len(set(configs)) == len(configs)
    assert {config.seed for config in configs} == {0, 2}
    assert all(config.training.steps == module.STEPS for config in configs)
    values = [one.value for one in found if one.score.startswith("mean IoU") and one.way == ways[0]]
    assert values[:2] == [0.5, 0.7]
    report = json.loads((tmp_path / "scores.json").read_text())
    assert len(report["scores"]) == len(found)
    assert (tmp_path / "scores.png").stat().st_size > 0
    if name == "class_balance":
        rare = [one.value for one in found if one.score == "digits' IoU"]
        np.testing.assert_allclose(rare[:2], [0.45, 0.47], rtol=1e-14)


def test_repeated_trainings(experiment, tmp_path):
    """Really trained, two steps of a small network; a second call finds the runs."""
    shared = experiment("repeated_trainings")
    tables = {
        "model": {"name": "reseg", "blocks": [[4, 1]], "layers": 0, "filters": 4},
        "data": {"name": "digits", "canvas": [24, 24], "examples": 8, "held_out_examples": 8},
        "training": {"steps": 2, "batch_size": 8, "evaluate_every": 2},
    }
    scores = {"mean IoU": lambda metrics: metrics["mean_iou"]}
    found = shared.repeat({"a way": tables}, (1,), scores, tmp_path)
    assert [(one.way, one.score, one.seed) for one in found] == [("a way", "mean IoU", 1)]
    assert 0 <= found[0].value <= 1
    assert shared.repeat({"a way": tables}, (1,), scores, tmp_path) == found


def test_deconvolution(experiment, tmp_path):
    """The inverse undoes a blur, no multiple of the transpose does, and noise needs damping."""
    what_is = experiment("what_is_deconvolution")
    answers = {(one.way, bool(one.noise)): one.error for one in what_is.main(tmp_path, size=32)}
    assert answers["pseudo-inverse", False] < 0.2 * answers["best multiple of it", False]
    assert answers["best multiple of it", False] <= answers["transpose", False]
    assert answers["damping 0.01", True] < answers["pseudo-inverse", True]
    assert (tmp_path / "deconvolution.png").stat().st_size > 0
    assert len(json.loads((tmp_path / "deconvolution.json").read_text())["answers"]) == len(answers)


def test_checkerboards(experiment, tmp_path):
    """Kernels kept even and resizing answer constant maps by constants, uneven kernels do not."""
    module = experiment("checkerboards")
    ways = ("transposed 3x3", "transposed 4x4, even kernels", "resize, then 3x3")
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        results = module.main(tmp_path, steps=2, seeds=(0,), ways=ways)  # as users run it
    assert [result.way for result in results] == list(ways)
    assert results[0].start > 10
    assert results[0].flat > 1
    for result in results[1:]:
        assert max(result.start, result.flat) < 1e-8
    report = json.loads((tmp_path / "checkerboards.json").read_text())
    assert len(report["results"]) == 3
    assert (tmp_path / "checkerboards.png").stat().st_size > 0


def test_checkerboards_measures_the_pattern(experiment):
    """All energy of a pattern that repeats with the stride, and none of a constant or of a slow wave."""
    module = experiment("checkerboards")
    pattern = np.tile([[1.0, -1.0], [-1.0, 1.0]], (8, 8))[None]
    np.testing.assert_allclose(module.artefact_energy(pattern), 100)
    np.testing.assert_allclose(module.artefact_energy(pattern + 1), 50)
    np.testing.assert_allclose(module.artefact_energy(np.ones((1, 16, 16))), 0, atol=1e-12)
    wave = np.cos(2 * np.pi * np.arange(16) / 16)[None, :, None] * np.ones((1, 1, 16))
    np.testing.assert_allclose(module.artefact_energy(wave), 0, atol=1e-12)

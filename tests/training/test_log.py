"""The log of a training: what is written, and what is refused when it is read."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from test_checkpoints import no_file_above

from jaxconv.training.log import TrainingLog, read_log_until
from jaxconv.training.run_folder import RunError


@pytest.mark.parametrize("name", ["loss", "gradient_norm", "parameter_norm"])
def test_what_is_not_finite_stops_and_names_the_step(tmp_path, name):
    log = TrainingLog(tmp_path / "log.jsonl", [], 4, "mean_iou")
    record = {"loss": 1.0, "gradient_norm": 2.0, "parameter_norm": 3.0}
    log.write_step(1, {key: jnp.float32(value) for key, value in record.items()}, 0.0)
    with pytest.raises(FloatingPointError, match=rf"the {name.replace('_', ' ')} became nan at step 2"):
        log.write_step(2, {key: jnp.float32(np.nan if key == name else 1) for key in record}, 0.0)
    log.close()
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [1]


def test_a_log_that_cannot_be_written_is_one_error(tmp_path):
    log = TrainingLog(tmp_path / "log.jsonl", [], 4, "mean_iou")
    record = {"loss": jnp.float32(1)}
    with no_file_above(200):
        log.write_step(1, record, 0.0)
        with pytest.raises(RunError, match=r"log.jsonl cannot be written \(File too large\)"):
            log.write_step(2, record, 0.0)
    log.close()


def test_a_log_that_misses_steps_says_how_many(tmp_path):
    path = tmp_path / "log.jsonl"
    lines = [json.dumps({"kind": "step", "step": n, "seconds": 1, "loss": 2}) + "\n" for n in range(1, 5)]
    path.write_text("".join(lines))
    assert [line["step"] for line in read_log_until(path, 4)] == [1, 2, 3, 4]
    assert [line["step"] for line in read_log_until(path, 2)] == [1, 2]
    for places, problem in (
        ((0, 2, 3), "1 missing, first 2"),
        ((3,), "3 missing, first 1"),
        ((0, 0, 1, 2, 3), "some twice or out of order"),
        ((1, 0, 2, 3), "some twice or out of order"),
    ):
        path.write_text("".join(lines[n] for n in places))
        with pytest.raises(RunError, match=rf"every step from 1 to 4, .* each once \({problem}\); restore"):
            read_log_until(path, 4)

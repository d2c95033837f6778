"""Checkpoints that are damaged, truncated or cannot be written: errors that name the file."""

import gc
import os
import re
import resource
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxconv.training.checkpoints import Checkpoints
from jaxconv.training.run_folder import RunError
from jaxconv.training.state import State
from jaxconv.training.storage import DIGESTS

ABOUT = {"config": {"seed": 0}, "classes": ["a", "b"]}
HERE = jax.sharding.SingleDeviceSharding(jax.devices()[0])


def state(step, size=6):
    numbers = np.random.default_rng(step).normal(size=(size, 5)).astype(np.float32)
    return State(jnp.int32(step), {"kernel": jnp.asarray(numbers)}, {"key": jax.random.key(step)}, (), ())


def make_checkpoints(run, **scores):
    """Saves checkpoints with scores, such as ``at3=0.5`` for 0.5 at step 3."""
    checkpoints = Checkpoints(run)
    checkpoints.recover()
    for name, score in scores.items():
        step = int(name.removeprefix("at"))
        checkpoints.save(state(step), step, ABOUT, score)
    return checkpoints


def assert_whole(checkpoints, step):
    assert checkpoints.read_metadata(step) == ABOUT | {"score": checkpoints.read_metadata(step)["score"]}
    found = checkpoints.read_state(step, jax.eval_shape(lambda: state(step)), HERE)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(state(step)), strict=True):
        a, b = (jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x for x in (a, b))
        np.testing.assert_array_equal(a, b, strict=True)


def files(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A run whose best checkpoint is that of step 3 and whose last is that of step 6."""
    return make_checkpoints(tmp_path_factory.mktemp("two"), at3=0.5, at6=0.25).folder.parent


def test_the_last_and_the_best_stay(tmp_path):
    checkpoints = make_checkpoints(tmp_path, at3=None, at6=0.5, at9=0.5, at12=0.25)
    assert checkpoints.steps == [6, 12]
    assert (checkpoints.find_step("best"), checkpoints.find_step("last")) == (6, 12)
    for step in checkpoints.steps:
        assert_whole(checkpoints, step)
    assert make_checkpoints(tmp_path, at15=0.75).steps == [15]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "saved"]


@pytest.mark.parametrize(("which", "step", "other"), [("last", 6, "best"), ("best", 3, "last")])
def test_a_flipped_bit_in_any_file_is_refused(two, tmp_path, which, step, other, rng):
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    checkpoints = Checkpoints(tmp_path)
    folder = checkpoints.folder / str(step)
    assert len(files(folder)) > 10
    for name, path in files(folder).items():
        whole = path.read_bytes()
        for place in {0, int(rng.integers(len(whole))), len(whole) - 1}:
            bits = bytearray(whole)
            bits[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(bits)
            assert checkpoints.find_step(which) == step
            with pytest.raises(RunError, match=rf"{re.escape(path.name)} (has|is) .*--checkpoint {other}"):
                checkpoints.read_state(step, None, HERE)
            if name in ("about.json", DIGESTS):
                with pytest.raises(
                    RunError, match=rf"{re.escape(path.name)} (has|is) .*--checkpoint {other}"
                ):
                    checkpoints.read_metadata(step)
        path.write_bytes(whole)
    assert_whole(checkpoints, step)


def test_files_are_neither_missing_nor_cut_nor_additional(two, tmp_path):
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    checkpoints = Checkpoints(tmp_path)
    for path in files(checkpoints.folder / "6").values():
        whole = path.read_bytes()
        path.unlink()
        with pytest.raises(RunError, match=rf"checkpoints/6 is damaged: .*{re.escape(path.name)} is missing"):
            checkpoints.read_state(6, None, HERE)
        path.write_bytes(whole[:-1])
        with pytest.raises(RunError, match=rf"{re.escape(path.name)} (has changed|is damaged)"):
            checkpoints.read_state(6, None, HERE)
        path.write_bytes(whole)
    (checkpoints.folder / "6" / "state" / "more").touch()
    with pytest.raises(RunError, match=r"state/more is not a file of the checkpoint"):
        checkpoints.read_state(6, None, HERE)


def test_a_checkpoint_without_digests_is_refused(two, tmp_path):
    """Such as those of an early version of the library."""
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    for path in tmp_path.rglob(DIGESTS):
        path.unlink()
    with pytest.raises(RunError, match=rf"{DIGESTS} is missing; restore it from a copy"):
        Checkpoints(tmp_path).read_metadata(6)


def test_later_checkpoints_are_deleted(two, tmp_path):
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.drop_after(3)
    assert checkpoints.steps == [3]
    assert checkpoints.find_step("best") == checkpoints.find_step("last") == 3


@pytest.mark.parametrize("name", ["about.json", "state/_METADATA"])
def test_a_damaged_best_is_refused_before_the_training_continues(two, tmp_path, name):
    """And no save deletes it: a checkpoint whose score cannot be read may be the best."""
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.check_earlier(6)
    path = checkpoints.folder / "3" / name
    path.write_bytes(b"?" + path.read_bytes()[1:])
    with pytest.raises(RunError, match=rf"3, the best so far, is damaged: {name}.*delete its folder"):
        checkpoints.check_earlier(6)
    if name == "about.json":
        checkpoints.save(state(9), 9, ABOUT, 0.1)
        assert 3 in checkpoints.steps


# What a process leaves that is killed at this moment, at each of its calls of the operating system.
AT_EACH_CALL = []


def _hook(event, arguments):
    if AT_EACH_CALL and event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"):
        AT_EACH_CALL[0]()


@pytest.fixture(scope="module")
def audited():
    sys.addaudithook(_hook)  # it cannot be removed again


@contextmanager
def snapshots(folder, copies):
    """Copies a folder at each call of the operating system within this context."""

    def copy():
        at_each_call = AT_EACH_CALL.pop()
        try:
            shutil.copytree(folder, copies / str(len(list(copies.iterdir()))))
        except (shutil.Error, OSError):  # a file that orbax's threads were about to rename
            pass
        AT_EACH_CALL.append(at_each_call)

    copies.mkdir()
    AT_EACH_CALL.append(copy)
    try:
        yield
    finally:
        AT_EACH_CALL.clear()


def test_a_kill_during_a_save_leaves_usable_checkpoints(tmp_path, audited):
    """At every system call, all checkpoints are complete, and no folder is left that would be refused."""
    run = tmp_path / "run"
    checkpoints = make_checkpoints(run)
    found = set()
    for step, score in ((3, 0.25), (6, 0.5), (9, 0.125)):
        copies = tmp_path / f"copies{step}"
        with snapshots(run, copies):
            checkpoints.save(state(step), step, ABOUT, score)
        for copy in copies.iterdir():
            left = make_checkpoints(copy)
            found.add(tuple(left.steps))
            assert not left.has_lost_all
            assert {path.name for path in left.folder.iterdir()} == set(map(str, left.steps))
            for one in left.steps:
                left._check(one)
    assert found == {(), (3,), (3, 6), (6,), (6, 9)}


def test_a_complete_checkpoint_is_renamed(tmp_path):
    checkpoints = make_checkpoints(tmp_path, at3=0.5)
    (checkpoints.folder / "3").rename(checkpoints.folder / "3.new")
    assert checkpoints.has_lost_all
    assert make_checkpoints(tmp_path).steps == [3]
    assert_whole(checkpoints, 3)


@contextmanager
def no_file_above(size):
    """Makes writing larger files fail, as on a full disk; for root too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def light_heap():
    """Excludes the objects of other tests from garbage collections, which would be slow."""
    gc.freeze()
    yield
    gc.unfreeze()


# A thread of orbax that ends after the failed save finds its event loop closed; Python can only print that.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_is_one_error_and_loses_nothing(tmp_path, capfd, caplog, light_heap):
    checkpoints = make_checkpoints(tmp_path)
    for n, way_out in enumerate(("--resume starts from step 0", "continues from step 1, which is saved")):
        for size in (0, 2000):  # bytes that still fit
            message = rf"of step 7 cannot be written to {checkpoints.folder} \(File too large\).*{way_out}"
            with no_file_above(size), pytest.raises(RunError, match=message):
                checkpoints.save(state(7, size=10_000), 7, ABOUT, 0.5)
            assert checkpoints.steps == [1][:n]
            assert [path.name for path in checkpoints.folder.iterdir()] == ["1"][:n]
            assert not checkpoints.has_lost_all
        if not n:
            checkpoints.save(state(1), 1, ABOUT, 0.25)
    assert_whole(checkpoints, 1)
    gc.collect()
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert make_checkpoints(tmp_path, at7=0.5).steps == [7]


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path):
    """A file of that name exists: the same as a read-only folder, for root too."""
    (tmp_path / "checkpoints").write_text("")
    with pytest.raises(RunError, match=r"checkpoints cannot be written \(File exists\)"):
        Checkpoints(tmp_path).recover()


@contextmanager
def without_rights():
    """Makes root, who may write everywhere, the user nobody within this context."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_read_only_folder_is_one_error():
    with tempfile.TemporaryDirectory() as parent:  # tmp_path is within folders that nobody may enter
        os.chmod(parent, 0o755)
        checkpoints = make_checkpoints(Path(parent) / "run", at3=0.5)
        checkpoints.folder.chmod(0o555)
        with without_rights():
            with pytest.raises(
                RunError, match=r"cannot be written to .* \(Permission denied\).*continues from step 3"
            ):
                checkpoints.save(state(6), 6, ABOUT, 0.5)
            assert_whole(checkpoints, 3)  # reading needs no right to write
        checkpoints.folder.chmod(0o755)

"""Strict JAX for every test: x64, no implicit promotion or broadcasting, full precision."""

import os
import zlib
from importlib.metadata import version

import hypothesis
import jax
import numpy as np
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")

# The same examples on every run; no deadline, because an example may compile.
hypothesis.settings.register_profile("small", max_examples=10, deadline=None, derandomize=True)
hypothesis.settings.register_profile("full", max_examples=300, deadline=None, derandomize=True)
hypothesis.settings.load_profile("small")

FEW = 4  # a test with so many cases, or fewer, runs all of them with --fast


def pytest_addoption(parser):
    parser.addoption(
        "--full", action="store_true", help="run all cases of sampled sweeps, and Hypothesis at full size"
    )
    parser.addoption("--fast", action="store_true", help="leave out slow tests and three cases of four")
    parser.addoption(
        "--optimized",
        action="store_true",
        help="compile as users do, with all optimisations of XLA; takes about four times as long",
    )


def pytest_configure(config):
    if config.getoption("--full"):
        hypothesis.settings.load_profile("full")
    # jax reads them once, when it starts; processes that a test starts inherit them.
    flags = [os.environ.get("XLA_FLAGS", ""), "--xla_force_host_platform_device_count=8"]
    if not config.getoption("--optimized"):
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
        jax.config.update("jax_disable_most_optimizations", True)
        if version("jaxlib").startswith("0.10."):  # later versions do not have this flag
            flags.append("--xla_cpu_use_fusion_emitters=false")
    os.environ["XLA_FLAGS"] = " ".join(flags)


@pytest.fixture
def optimized(request):
    """Compiles with all optimisations of XLA, for tests that read a compiled program."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", not request.config.getoption("--optimized"))


def pytest_collection_modifyitems(config, items):
    """Sorts slow tests first, so that processes end at about the same time, and deselects cases of sweeps.

    The selection is always the same. Of a sweep marked ``sampled(n)`` one case in n runs, unless --full is
    given. With --fast, tests marked ``slow`` do not run; of all other tests with more than `FEW` cases one
    case in 4 runs, of sweeps one in 4 n.
    """
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    if config.getoption("--full"):
        return
    fast = config.getoption("--fast")
    sweeps = {}
    for item in items:
        sweeps.setdefault((item.path, getattr(item, "originalname", item.name)), []).append(item)
    left_out = {item for item in items if fast and item.get_closest_marker("slow")}
    for cases in sweeps.values():
        marker = cases[0].get_closest_marker("sampled")
        n = (marker.args[0] if marker else 1) * (4 if fast and len(cases) > FEW else 1)
        cases.sort(
            key=lambda item: zlib.crc32(item.name.encode())
        )  # independent of the order of the parameters
        left_out.update(cases[-(-len(cases) // n) :])
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def full(request):
    """Returns whether sweeps run at full size."""
    return request.config.getoption("--full")


@pytest.fixture
def rng(request):
    """Returns a random generator whose seed depends only on the name of the test."""
    return np.random.default_rng(zlib.crc32(request.node.name.encode()))

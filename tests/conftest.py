"""Strict JAX for every test: x64, no silent promotion, no silent broadcasting, full precision."""

import os
import zlib

# Eight devices on any machine, for the tests that shard; read once, when jax starts.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"

import hypothesis
import jax
import numpy as np
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")

# The same examples on every run, and time for a compilation in each of them.
hypothesis.settings.register_profile("small", max_examples=10, deadline=None, derandomize=True)
hypothesis.settings.register_profile("full", max_examples=300, deadline=None, derandomize=True)
hypothesis.settings.load_profile("small")


def pytest_addoption(parser):
    parser.addoption(
        "--full", action="store_true", help="run sweeps marked slow, and Hypothesis, at full size"
    )


def pytest_configure(config):
    if config.getoption("--full"):
        hypothesis.settings.load_profile("full")


@pytest.fixture
def full(request):
    """Whether sweeps run at full size."""
    return request.config.getoption("--full")


@pytest.fixture
def rng(request):
    """Random numbers that depend on the test's name alone."""
    return np.random.default_rng(zlib.crc32(request.node.name.encode()))

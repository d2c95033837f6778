"""Types of the public names, as editors and type checkers see them."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from jaxconv.convolution import CONV_KERNEL_VJP_METHODS, CONV_METHODS, CONV_TRANSPOSE_METHODS
from jaxconv.convolution.methods import ConvKernelVjpMethod, ConvMethod, ConvTransposeMethod

CASES = Path(__file__).with_name("typing_cases.py")


def expected() -> dict[int, str]:
    """Returns the lines that mypy must report, each with its error code."""
    comments = (re.search(r"# error: (\S+)$", line) for line in CASES.read_text().splitlines())
    return {number: found[1] for number, found in enumerate(comments, 1) if found}


@pytest.mark.slow
def test_a_type_checker_reports_the_wrong_uses_and_no_right_one():
    command = [sys.executable, "-m", "mypy", "--no-pretty", "--no-error-summary", str(CASES)]
    found = subprocess.run(command, cwd=CASES.parent.parent, capture_output=True, text=True, check=False)
    reports = re.findall(r"^(.+?):(\d+): error: .*\[([\w-]+)\]$", found.stdout, re.M)
    elsewhere = [report for report in reports if Path(report[0]).name != CASES.name]
    assert (found.stderr, elsewhere) == ("", [])
    assert {int(line): code for _, line, code in reports} == expected()


def test_there_are_enough_cases():
    lines = CASES.read_text().splitlines()
    assert sum("assert_type(" in line for line in lines) >= 25
    assert len(expected()) >= 25


@pytest.mark.parametrize(
    ("method", "methods"),
    [
        (ConvMethod, CONV_METHODS),
        (ConvTransposeMethod, CONV_TRANSPOSE_METHODS),
        (ConvKernelVjpMethod, CONV_KERNEL_VJP_METHODS),
    ],
    ids=["conv", "conv_transpose", "conv_kernel_vjp"],
)
def test_the_types_of_methods_name_them_all(method, methods):
    assert get_args(method) == ("auto", *methods)

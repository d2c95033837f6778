"""The examples of the pages write their files into a temporary folder."""

import pytest


@pytest.fixture(autouse=True)
def _temporary_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

"""One thread, gradients on, an empty working folder: where every source of this folder starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _torch_is_warm() -> None:
    """The first optimizer imports much of torch: paid here, not by the fixture that comes first."""
    torch.set_num_threads(1)
    torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=0.1).step()


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of one test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path

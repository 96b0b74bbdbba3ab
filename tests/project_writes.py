"""Situations of tensors that a function of another file writes in place."""

from __future__ import annotations

WRITES: dict[str, dict[str, str]] = {
    "a_helper_elsewhere_fills_a_parameter": {
        "codes.py": """
import torch


def fill(out):
    out[:, 0] = torch.ones(len(out))
    out.detach_()


def fill_what_is_frozen(out):
    out.detach_()
    out.requires_grad = False
    out[:, 0] = torch.ones(len(out))
""",
        "use.py": """
from torch import nn
from codes import fill, fill_what_is_frozen


class Positions(nn.Module):
    def __init__(self, learned):
        super().__init__()
        self.table = nn.Embedding(4, 4)
        if not learned:
            fill_what_is_frozen(self.table.weight)


class Broken(nn.Module):
    def __init__(self, learned):
        super().__init__()
        self.table = nn.Embedding(4, 4)
        if not learned:
            fill(self.table.weight)  # want TL302


print(Positions(False).table.weight.requires_grad)
try:
    Broken(False)
except RuntimeError as error:
    print(error)
""",
    },
}

"""Small projects, each with one situation that only several files together show, and its near miss."""

from __future__ import annotations

from project_imports import MODELS, used
from project_regions import REGIONS
from project_writes import WRITES

SITUATIONS: dict[str, dict[str, str]] = {
    **REGIONS,
    **WRITES,
    "helpers_of_another_file_switch_and_restore": {
        "pkg/__init__.py": "",
        "pkg/modes.py": """
from contextlib import contextmanager


def set_training_mode(model, flag):
    model.train(flag)


@contextmanager
def evaluating(model):
    was_training = model.training
    model.eval()
    yield
    model.train(was_training)


class EvalMode:
    def __init__(self, model):
        self.model = model
        self.was_training = model.training

    def __enter__(self):
        self.model.eval()
        return self.model

    def __exit__(self, *error):
        self.model.train(self.was_training)
""",
        "pkg/use.py": """
import torch
from torch import nn
from pkg.modes import EvalMode, evaluating, set_training_mode


def show(x):
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout())
    with torch.inference_mode():
        with evaluating(net):
            print(net(x).shape)
        with EvalMode(net) as model:
            print(model(x).shape)
        print(net(x).shape)  # want TL101 "'net' runs"


def show_once_more(x):
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout())
    set_training_mode(net, False)
    with torch.inference_mode():
        print(net(x).shape)
""",
    },
    "files_that_import_each_other": {
        "pkg/__init__.py": "",
        "pkg/models.py": "from pkg import use\n" + MODELS + "\n\ndef shown(x):\n    use.show(x)\n",
        "pkg/use.py": used("from pkg import models", "models."),
    },
    "a_meter_in_another_file": {
        "meters.py": """
class Meter:
    def __init__(self):
        self.sum, self.values = 0.0, []

    def update(self, value, n=1):
        self.sum += value * n

    def keep(self, value):
        self.values.append(value)

    def last(self, value):
        self.value = value

    def number(self, value):
        self.sum += value.detach().item()
""",
        "use.py": """
from meters import Meter
from torch import nn

model = nn.Linear(4, 4)


def train(loader):
    meter = Meter()
    for x in loader:
        step = Meter()
        loss = model(x).square().mean()
        loss.backward()
        meter.update(loss, len(x))  # want TL202 "'loss' is kept in 'meter' with its graph, so graph nodes"
        meter.keep(loss)  # want TL202 "'loss' is kept in 'meter'"
        meter.last(loss)
        meter.number(loss)
        step.update(loss)
    return len(meter.values)
""",
    },
    "a_base_in_another_file": {
        "bases.py": """
from torch import nn


class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)


class Straight(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
""",
        "use.py": """
import torch
import bases
from bases import Straight


class A(bases.Normed):
    def forward(self, x):
        return self.norm(x)


class B(Straight):
    def forward(self, x):
        return self.linear(x)


def show(x):
    a, b = A(), B()
    with torch.inference_mode():
        print(a(x).shape)  # want TL101 "'a' runs"
        print(b(x).shape)
""",
    },
    "a_base_of_a_base_behind_an_export": {
        "pkg/__init__.py": "from .low import Low\n",
        "pkg/low.py": """
from torch import nn


class Low(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, training=self.training)
""",
        "pkg/middle.py": "from pkg import Low\n\n\nclass Middle(Low):\n    pass\n",
        "use.py": """
import torch
from pkg.middle import Middle


class High(Middle):
    pass


def show(x):
    high, evaled = High(), High().eval()
    with torch.inference_mode():
        print(high(x).shape)  # want TL101 "'high' runs"
        print(evaled(x).shape)
""",
    },
    "callers_in_another_file": {
        "models.py": MODELS,
        "scores.py": """
import torch


def _fresh(model, x):
    with torch.inference_mode():
        return model(x)  # want TL101 "'model' runs"


def _both(model, x):
    with torch.inference_mode():
        return model(x)  # want TL101 "'model' may run"


def _evaled(model, x):
    with torch.inference_mode():
        return model(x)


def _plain(model, x):
    with torch.inference_mode():
        return model(x)


def _nobody(model, x):
    with torch.inference_mode():
        return model(x)
""",
        "main.py": """
import torch
from models import Plain, build, ready
from scores import _both, _evaled, _fresh, _plain

x = torch.ones(2, 4)
fresh, evaled, plain = build(), ready(), Plain()
print(_fresh(fresh, x), _both(fresh, x), _both(evaled, x), _evaled(evaled, x), _plain(plain, x))
""",
    },
    "callers_of_callers_in_other_files": {
        "models.py": MODELS,
        "low.py": """
import torch


def _low(model, x):
    with torch.inference_mode():
        return model(x)  # want TL101 "'model' runs"


def _lower(model, x):
    with torch.inference_mode():
        return model(x)
""",
        "middle.py": """
from low import _low, _lower


def fresh(model, x):
    return _low(model, x)


def evaled(model, x):
    return _lower(model, x)
""",
        "main.py": """
import torch
from middle import evaled, fresh
from models import build, ready

print(fresh(build(), torch.ones(2, 4)), evaled(ready(), torch.ones(2, 4)))
""",
    },
    "a_function_elsewhere_sets_the_mode": {
        "models.py": MODELS,
        "modes.py": "def still(model):\n    model.eval()\n\n\ndef look(model):\n    print(model)\n",
        "use.py": """
import torch
from models import Net
from modes import look, still


def show(x):
    a, b = Net(), Net()
    look(a)
    still(b)
    with torch.inference_mode():
        print(a(x).shape)  # want TL101 "'a' runs"
        print(b(x).shape)
""",
    },
    "an_object_of_another_file_holds_a_model": {
        "models.py": MODELS,
        "boxes.py": """
from models import build, ready


class Box:
    def __init__(self):
        self.model = build()


class StillBox:
    def __init__(self):
        self.model = ready()
""",
        "use.py": """
import torch
from boxes import Box, StillBox


class Runner:
    def __init__(self):
        self.box = Box()

    def show(self, x):
        with torch.inference_mode():
            print(self.box.model(x).shape)  # missed TL101 what an attribute of an attribute was built as


def show(x):
    box, still = Box(), StillBox()
    with torch.inference_mode():
        print(box.model(x).shape)  # want TL101 "'box.model' runs"
        print(still.model(x).shape)
""",
    },
    "an_attribute_holds_what_measures": {
        "losses.py": """
import torch.nn.functional as F


class Losses:
    def of(self, model, x, y):
        return F.cross_entropy(model(x), y)

    def value(self, model, x, y):
        return F.cross_entropy(model(x), y).detach()
""",
        "use.py": """
import torch
from losses import Losses
from torch import nn


class Runner:
    def __init__(self):
        self.model = nn.Linear(4, 3)
        self.losses = Losses()

    def show(self, x, y):
        print(self.losses.of(self.model, x, y).item())  # want TL201
        print(self.losses.value(self.model, x, y).item())
""",
    },
    "an_object_of_another_file_runs_what_it_is_given": {
        "models.py": MODELS,
        "runners.py": """
import torch


class Runner:
    def __init__(self, model):
        self.model = model

    def run(self, x):
        with torch.inference_mode():
            return self.model(x)  # want TL101 "'self.model' runs"


class StillRunner:
    def __init__(self, model):
        self.model = model

    def walk(self, x):
        with torch.inference_mode():
            return self.model(x)
""",
        "main.py": """
import torch
from models import build, ready
from runners import Runner, StillRunner

x = torch.ones(2, 4)
print(Runner(build()).run(x), StillRunner(ready()).walk(x))
""",
    },
    "a_helper_elsewhere_gives_a_tensor_with_a_graph": {
        "losses.py": """
import torch.nn.functional as F


def loss_of(model, x, y):
    return F.cross_entropy(model(x), y)


def value_of(model, x, y):
    return F.cross_entropy(model(x), y).detach()
""",
        "use.py": """
import torch
from torch import nn
from losses import loss_of, value_of

model = nn.Linear(4, 3)
x, y = torch.ones(2, 4), torch.tensor([0, 1])
print(loss_of(model, x, y).item())  # want TL201
print(value_of(model, x, y).item())
""",
    },
}

GUESSED_ALONE = {
    "a_base_in_another_file",
    "a_runner_evaluates_what_an_object_holds",
    "a_file_that_says_metrics",
    "evaluations_that_only_measure_as_far_as_callers_are_in_sight",
}
"""Where a base that nobody shows is taken for one whose mode matters, or TL101 or TL404 asks the callers."""

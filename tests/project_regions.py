"""Small projects in which several files together show what becomes of the tensors of a region."""

from __future__ import annotations

REGIONS: dict[str, dict[str, str]] = {
    "features_made_inside_in_another_file": {
        "pkg/__init__.py": "from .encoders import extract, plain\n",
        "pkg/encoders.py": """
import torch
import torch.nn.functional as F


@torch.inference_mode()
def extract(x):
    return F.normalize(x)


def plain(x):
    return F.normalize(x)


def scaled(x):
    return F.normalize(x) * 2


class Teacher:
    @torch.inference_mode()
    def targets(self, x):
        return torch.softmax(x, -1)
""",
        "pkg/bases.py": """
import torch
from pkg import encoders


class Keeper:
    def __init__(self, x):
        self.features, self.other = encoders.extract(x), encoders.plain(x)
        self.anchors = self.raw = None

    @torch.inference_mode()
    def fill(self, x):
        self.anchors = torch.exp(x)
""",
        "use.py": """
from pkg import extract, plain
from pkg.encoders import Teacher
from torch import nn

head = nn.Linear(4, 2)


def train_step(x):
    head(extract(x)).sum().backward()  # want TL402 "'extract(x)' is made under"
    head(plain(x)).sum().backward()
    head(extract(x).clone()).sum().backward()


def distil(x):
    teacher = Teacher()
    loss = (head(x) * teacher.targets(x)).sum()  # want TL402 "is saved for backward outside"
    loss.backward()
""",
        "keep.py": """
from pkg.bases import Keeper
from torch import nn


class Mine(Keeper):
    def __init__(self, x):
        super().__init__(x)
        self.head = nn.Linear(4, 2)

    def train_step(self, x):
        loss = (self.head(x) * self.anchors).sum()  # want TL402 "'self.anchors' is made under"
        loss.backward()
""",
        "inside.py": """
import torch
from pkg.encoders import scaled
from torch import nn

head = nn.Linear(4, 2)


def train_step(x):
    with torch.inference_mode():
        features = scaled(x)
    again = scaled(x)
    head(again).sum().backward()
    head(features).sum().backward()  # want TL402 "'features' is made under"
""",
    },
    "helper_of_another_file_reads_what_a_region_made": {
        "pkg/__init__.py": "",
        "pkg/helpers.py": """
import numpy as np
import torch


def probabilities(logits, classes) -> list[dict[Label, float]]:
    scores = np.asarray(torch.softmax(logits, dim=-1).tolist())
    return [dict(zip(classes, row)) for row in scores]


def trained(logits, weights) -> float:
    loss = (logits * weights).mean()
    loss.backward()
    return loss.detach().item()


def weighted(logits, weights):
    return (logits * weights).mean()


class Explanation(Data):
    def __init__(self, **parts):
        super().__init__(**parts)
""",
        "use.py": """
import torch
from pkg.helpers import Explanation, probabilities, trained, weighted


class Scorer:
    def scores(self, x):
        self.model.eval()
        with torch.no_grad():  # want TL401
            logits = self.model(x)
        return probabilities(logits, self.classes)[0]

    def step(self, x):
        with torch.no_grad():
            logits = self.model(x)
        return trained(logits, self.weights)

    def loss(self, x):
        with torch.no_grad():
            logits = self.model(x)
        return weighted(logits, self.weights)

    def explanation(self, x):
        with torch.no_grad():
            logits = self.model(x)
        return Explanation(scores=logits, index=self.index)
""",
    },
    "a_caller_without_gradients_and_others_out_of_sight": {
        "pkg/__init__.py": "",
        "pkg/losses.py": """
import torch


def _shown(model, x):
    with torch.inference_mode():
        print(model(x))


def weighted_loss(model, x):
    scores = model(x.clamp_(min=0))
    _shown(model, x)
    with torch.no_grad():  # meant TL401 others call it to train, and the weights are saved there
        weights = scores.exp()
    return (scores * weights).sum()


def _weighted_sum(model, x):
    scores = model(x.clamp_(min=0))
    _shown(model, x)
    with torch.no_grad():  # want TL401
        weights = scores.exp()
    return (scores * weights).sum()
""",
        "pkg/evaluate.py": """
import torch
from pkg.losses import _weighted_sum, weighted_loss


def validate(model, x):
    model.eval()
    with torch.inference_mode():
        print(weighted_loss(model, x).item(), _weighted_sum(model, x).item())
""",
    },
    "evaluations_that_only_measure_as_far_as_callers_are_in_sight": {
        "pkg/__init__.py": "",
        "pkg/learners.py": """
import torch


class Learner:
    def __init__(self, weight):
        self.weight = weight

    @torch.no_grad()  # want TL401
    def evaluate_batch(self, x):
        return (x * self.weight).mean()

    @torch.no_grad()
    def test_batch(self, x):
        return (x * self.weight).exp()

    @torch.no_grad()  # want TL404
    def validate_batch(self, x):
        return (x * self.weight).mean()

    @torch.no_grad()  # want TL404
    def embed_batch(self, x):
        return x * self.weight
""",
        "pkg/loops.py": """
from pkg.learners import Learner


def fit(weight, batches):
    learner, total = Learner(weight), 0.0
    for x in batches:
        (learner.test_batch(x) * weight).sum().backward()
        total += float(learner.evaluate_batch(x)) + float(learner.embed_batch(x).mean())
    return total
""",
    },
    "a_file_that_says_metrics": {
        "pkg/__init__.py": "",
        "pkg/eval_metrics.py": """
import torch


def overlap(scores, target):
    with torch.no_grad():  # want TL401
        shared = (scores.argmax(-1) == target).float().mean(0)
    return shared / (2 - shared)


def difficulty(scores):
    with torch.no_grad():
        weights = 1 - scores.softmax(-1).max(-1).values
    return weights


def overlap_loss(scores):
    with torch.no_grad():  # want TL404
        target = scores.softmax(-1).round()
    return target
""",
        "pkg/biometrics.py": """
import torch


def overlap(scores, target):
    with torch.no_grad():  # want TL404
        shared = (scores.argmax(-1) == target).float().mean(0)
    return shared / (2 - shared)
""",
        "pkg/steps.py": """
from pkg.eval_metrics import difficulty
from torch import nn


def step(scores, target):
    (nn.functional.cross_entropy(scores, target, reduction="none") * difficulty(scores)).mean().backward()
""",
    },
    "a_runner_evaluates_what_an_object_holds": {
        "runner.py": """
class Runner:
    def __init__(self, holder):
        self.holder = holder

    def run(self):
        self.holder.network.eval()
""",
        "holder.py": """
import torch
from torch import nn
from runner import Runner


class Holder:
    def __init__(self):
        self.network = nn.Sequential(nn.Linear(3, 3), nn.Dropout())
        self.other = nn.Sequential(nn.Linear(3, 3), nn.Dropout())

    def fit(self):
        Runner(self).run()

    def means(self, x):
        with torch.inference_mode():
            print(self.network(x).mean().item() is None)
            print(self.other(x).mean().item() is None)  # want TL101


holder = Holder()
holder.fit()
holder.means(torch.ones(2, 3))
""",
    },
}

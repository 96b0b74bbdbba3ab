"""`torchlint prove` as a user runs it: another process, real scripts, real torch."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import libcst
import pytest
from command import Done, command, environment

import torchlint

SCRIPT = '''\
"""A training script with three faults (lines 27, 34 and 54) and two near misses (lines 39 and 44)."""

import argparse

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, hidden), nn.BatchNorm1d(hidden), nn.ReLU())
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(hidden, 3))

    def forward(self, x):
        return self.head(self.body(x))


def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    # The loss is read while it still requires grad.
    return {
        "loss": loss.item(),
    }


def accuracy(model, x, y):
    with torch.inference_mode():
        # Nobody has called eval().
        return (model(x).argmax(-1) == y).float().mean().item()


def test_loss(model, x, y):
    model.eval()
    with torch.inference_mode():  # a near miss: in evaluation mode
        loss = F.cross_entropy(model(x), y).detach().item()
    model.train()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.999)  # a near miss: nothing has saved it
    return loss


def penalty(model, x):
    """The result of sigmoid is saved, and written."""
    gate = torch.sigmoid(model(x))
    total = gate.sum()
    if total > 1e9:
        print("large")
    gate *= 0.5
    return gate.square().mean()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=1)
    torch.manual_seed(0)
    x, y, model = torch.randn(64, 8), torch.randint(0, 3, (64,)), Net(16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(parser.parse_args().epochs):
        print("epoch", epoch, train_step(model, optimizer, x, y)["loss"] > 0, accuracy(model, x, y) <= 1)
    print("test", test_loss(model, x, y) > 0)
    penalty(model, x).backward()
'''


def prove(*words: str, cwd: Path) -> Done:
    """Tracebacks may come, but of the script alone."""
    done = subprocess.run(
        command("prove", *words), cwd=cwd, capture_output=True, text=True, env=environment(), timeout=120
    )
    assert "torchlint" not in re.sub(r"^torchlint prove executes .*$", "", done.stderr, flags=re.MULTILINE)
    return Done(done.returncode, done.stdout, done.stderr)


def written(folder: Path, text: str, name: str = "train.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def verdicts(out: str) -> dict[str, str]:
    """`train.py:27 TL201` -> `confirmed`."""
    found = re.findall(r"^(confirmed|refuted|not reached|seen) +(\S+:\d+) (TL\d+|no)", out, re.MULTILINE)
    return {f"{place} {code}": answer for answer, place, code in found}


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("proved")
    written(folder, SCRIPT)
    return prove("train.py", "--epochs", "2", cwd=folder)


class TestScript:
    def test_every_planted_fault_is_confirmed_and_no_near_miss(self, proved: Done) -> None:
        assert verdicts(proved.out) == {
            "train.py:27 TL201": "confirmed",
            "train.py:34 TL101": "confirmed",
            "train.py:54 TL301": "confirmed",
        }
        assert proved.status == 1

    def test_it_says_that_it_executes_the_script(self, proved: Done) -> None:
        assert "torchlint prove executes train.py" in proved.err

    def test_the_script_gets_its_arguments_and_prints_once(self, proved: Done) -> None:
        assert re.findall(r"^epoch (\d)", proved.out, re.MULTILINE) == ["0", "1"]

    def test_the_report_names_torch_the_end_and_the_lines(self, proved: Done) -> None:
        assert "train.py on torch 2.13.0" in proved.out
        assert "modified by an inplace operation" in proved.out
        assert "train.py:50 'sigmoid' saved it here" in proved.out
        assert "train.py:67 backward needed it here" in proved.out
        assert "3 findings: 3 confirmed, 0 refuted, 0 not reached" in proved.out

    def test_what_did_not_run_is_not_reached(self, tmp_path: Path) -> None:
        written(tmp_path, SCRIPT.replace('if __name__ == "__main__":', "if False:"))
        done = prove("train.py", cwd=tmp_path)
        assert set(verdicts(done.out).values()) == {"not reached"}
        assert done.status == 0

    def test_a_finding_that_torch_contradicts_is_refuted(self, tmp_path: Path) -> None:
        # One row of ones: what Dropout would change, the layer after it multiplies by zero.
        written(
            tmp_path,
            "import torch\nfrom torch import nn\n"
            "net = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2))\nnn.init.zeros_(net[1].weight)\n"
            "with torch.inference_mode():\n    print(net(torch.ones(1, 2)).sum())\n",
        )
        done = prove("train.py", cwd=tmp_path)
        assert verdicts(done.out) == {"train.py:6 TL101": "refuted"}
        assert done.status == 0

    def test_what_is_seen_without_a_finding_is_told(self, tmp_path: Path) -> None:
        written(
            tmp_path,
            "import torch\nx, total = torch.ones(3, requires_grad=True), 0.0\nfor _ in range(4):\n"
            "    loss = x.exp().sum()\n    loss.backward()\n    total += loss  # noqa: TL202\n",
        )
        done = prove("train.py", cwd=tmp_path)
        assert verdicts(done.out)["train.py:6 no"] == "seen"
        assert "held by 'total'" in done.out
        assert done.status == 1

    def test_findings_in_modules_of_the_script_are_proved_too(self, tmp_path: Path) -> None:
        written(tmp_path, "import helper\nhelper.show()\n")
        written(
            tmp_path,
            "import torch\n\n\ndef show():\n"
            "    x = torch.ones(1, requires_grad=True).sum()\n    print(x.item())\n",
            "helper.py",
        )
        assert verdicts(prove("train.py", cwd=tmp_path).out) == {"helper.py:6 TL201": "confirmed"}

    def test_a_script_that_raises_shows_its_own_traceback_only(self, tmp_path: Path) -> None:
        written(tmp_path, "import torch\ntorch.ones(2) @ torch.ones(3)\n")
        done = prove("train.py", cwd=tmp_path)
        assert 'train.py", line 2, in <module>' in done.err
        assert "train.py on torch 2.13.0+cpu: RuntimeError: " in done.out.replace("0:", "0+cpu:")

    def test_a_warning_of_torch_names_the_line_of_the_script(self, tmp_path: Path) -> None:
        written(tmp_path, "import torch\n\nx = torch.ones(1, requires_grad=True)\nfloat(x * 2)\n")
        done = prove("train.py", cwd=tmp_path)
        assert "train.py:4: UserWarning: Converting a tensor with requires_grad=True" in done.err

    def test_a_script_that_exits_is_reported(self, tmp_path: Path) -> None:
        written(tmp_path, "import sys\nsys.exit(3)\n")
        done = prove("train.py", cwd=tmp_path)
        assert "SystemExit: 3" in done.out
        assert done.status == 0

    def test_a_process_that_dies_is_an_error_without_a_traceback(self, tmp_path: Path) -> None:
        written(tmp_path, "import os\nos._exit(7)\n")
        done = prove("train.py", cwd=tmp_path)
        assert done.status == 2
        assert "the process of train.py ended with status 7" in done.err

    def test_an_interrupt_still_gives_the_report(self, tmp_path: Path) -> None:
        written(
            tmp_path,
            "import time\nimport torch\n"
            "x = torch.ones(1, requires_grad=True).sum()\nprint(x.item(), flush=True)\n"
            "while True:\n    time.sleep(0.1)\n",
        )
        started = subprocess.Popen(
            command("prove", "train.py"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            text=True,
            start_new_session=True,
        )
        assert started.stdout is not None
        assert started.stdout.readline() == "1.0\n"
        time.sleep(0.2)
        os.killpg(started.pid, signal.SIGINT)
        out, _ = started.communicate(timeout=60)
        assert "was interrupted" in out
        assert verdicts(out) == {"train.py:4 TL201": "confirmed"}


class TestCodes:
    def test_a_page_is_run_flagged_and_cured(self, tmp_path: Path) -> None:
        done = prove("TL301", cwd=tmp_path)
        assert done.status == 0
        assert done.out.startswith("TL301 inplace-on-saved on torch 2.13.0")
        assert "RuntimeError: one of the variables needed for" in done.out
        programs = done.out.count("flagged, rules/TL301.md:")
        assert programs >= 3
        assert f"TL301: {programs} of {programs} programs do on this torch what the page says" in done.out

    def test_names_and_several_codes(self, tmp_path: Path) -> None:
        done = prove("item-without-detach", "tl401", cwd=tmp_path)
        assert done.status == 0
        assert re.findall(r"^(TL\d+) .* on torch", done.out, re.MULTILINE) == ["TL201", "TL401"]
        assert "after --fix" in done.out


class TestWrongUse:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["TL999"], "'TL999' is neither a rule code nor a file"),
            (["missing.py"], "'missing.py' is neither a rule code nor a file"),
            (["."], "'.' is a folder"),
            (["broken.py"], "broken.py:1:"),
            (["latin.py"], "latin.py:1:"),
        ],
    )
    def test_it_is_an_error_in_one_line(self, words: list[str], said: str, tmp_path: Path) -> None:
        written(tmp_path, "def (:\n", "broken.py")
        (tmp_path / "latin.py").write_bytes(b"x = '\xff'\n")
        done = prove(*words, cwd=tmp_path)
        assert done.status == 2
        assert done.err.startswith("error: ")
        assert said in done.err

    def test_without_torch_it_says_what_to_install(self, tmp_path: Path) -> None:
        # An interpreter that sees this package and LibCST, and no site-packages with torch in them.
        homes = {Path(torchlint.__file__).parents[1], tmp_path / "only"}
        (tmp_path / "only").mkdir()
        (tmp_path / "only" / "libcst").symlink_to(Path(libcst.__file__).parent)
        code = f"import sys; sys.path[1:1] = {[str(home) for home in homes]!r}; "
        code += "from torchlint.prove.command import main; sys.exit(main(['TL101']))"
        done = subprocess.run(
            [sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2
        assert "-m pip install torch" in done.stderr
        assert "Traceback" not in done.stderr

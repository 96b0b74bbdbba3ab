"""Each observer on small programs: what it must see, by line, and the near miss that it must not."""

from __future__ import annotations

from textwrap import dedent

import pytest
from execution import restored

from torchlint.prove.observations import Kind, Observation
from torchlint.prove.programs import execute
from torchlint.prove.proof import Proof, Watch, observe
from torchlint.prove.recording import record
from torchlint.prove.records import Record, record_from

FILE = "<program>"


def proof(program: str, *, carry_on: bool = False, lines: bool = False) -> Proof:
    """A program behind `import torch` and `from torch import nn`, so its own first line is line 3."""
    text = f"import torch\nfrom torch import nn\n{dedent(program).lstrip()}"

    def run(watch: Watch) -> Record:
        with restored():
            return record(lambda: execute(text, FILE), lambda file: file == FILE, watch, carry_on=carry_on)

    return observe(run, lines=lines)


def seen(program: str, kind: Kind, *, carry_on: bool = False) -> list[Observation]:
    return [one for one in proof(program, carry_on=carry_on).record.observations if one.kind is kind]


def lines(found: list[Observation]) -> list[int]:
    return [one.site.line for one in found]


class TestForwards:
    def test_batchnorm_moves_its_statistics_under_inference_mode(self) -> None:
        [one] = seen(
            """
            net = nn.BatchNorm1d(2)
            with torch.inference_mode():
                net(torch.ones(3, 2))
            """,
            Kind.TRAINING_FORWARD,
        )
        assert one.site.line == 5
        assert "moves running_mean, running_var, num_batches_tracked" in one.text

    def test_dropout_is_compared_with_the_same_random_numbers(self) -> None:
        [one] = seen(
            """
            net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
            with torch.no_grad():
                net(torch.ones(3, 4))
            """,
            Kind.TRAINING_FORWARD,
        )
        assert "gives another result in evaluation mode, up to" in one.text

    def test_the_comparison_draws_no_random_numbers_of_the_program(self) -> None:
        program = """
            net = nn.Dropout(0.5)
            with torch.no_grad():
                net(torch.ones(8))
            print(torch.rand(2).tolist())
        """
        plain = execute("import torch\nfrom torch import nn\n" + dedent(program), FILE)
        assert proof(program).record.printed == plain.printed

    def test_code_of_the_program_runs_once(self) -> None:
        program = """
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.drop = nn.Dropout(0.5)

                def forward(self, x):
                    print("forward")
                    return self.drop(x)

            with torch.inference_mode():
                Net()(torch.ones(4))
        """
        found = proof(program).record
        assert found.printed == "forward\n"
        assert [one.site.line for one in found.observations if one.kind is Kind.TRAINING_FORWARD] == [13]

    def test_reading_training_in_forward_counts(self) -> None:
        [one] = seen(
            """
            class Net(nn.Module):
                def forward(self, x):
                    if self.training:
                        return x + 1
                    return x

            with torch.no_grad():
                Net()(torch.ones(1))
            """,
            Kind.TRAINING_FORWARD,
        )
        assert (one.site.line, [remark.site.line for remark in one.remarks]) == (10, [5])

    def test_the_second_forward_of_a_region_is_not_told_again(self) -> None:
        found = seen(
            """
            net = nn.Dropout(0.5)
            with torch.no_grad():
                net(torch.ones(4))
                net(torch.ones(4))
            with torch.no_grad():
                net(torch.ones(4))
            """,
            Kind.TRAINING_FORWARD,
        )
        assert lines(found) == [5, 8]

    def test_the_line_that_called_the_function_is_told_too(self) -> None:
        [one] = seen(
            """
            def run(net):
                with torch.no_grad():
                    return net(torch.ones(4))

            run(nn.Dropout(0.5))
            """,
            Kind.TRAINING_FORWARD,
        )
        assert (one.site.line, [site.line for site in one.callers]) == (5, [7])

    @pytest.mark.parametrize(
        "program",
        [
            "net = nn.Dropout(0.5).eval()\nwith torch.no_grad():\n    net(torch.ones(4))\n",
            "net = nn.Dropout(0.5)\nnet(torch.ones(4))\n",
            "net = nn.Dropout(0.0)\nwith torch.no_grad():\n    net(torch.ones(4))\n",
            "net = nn.Sequential(nn.Linear(4, 4))\nwith torch.no_grad():\n    net(torch.ones(4))\n",
            "net = nn.BatchNorm1d(2, track_running_stats=False)\n"
            "with torch.no_grad():\n    net(torch.rand(4, 2))\n",
            "net = nn.Dropout(0.5)\nwith torch.no_grad():\n    was = net.training\n",
        ],
        ids=["eval", "with gradients", "p=0", "insensitive", "no statistics", "mode asked for"],
    )
    def test_near_misses(self, program: str) -> None:
        assert not seen(program, Kind.TRAINING_FORWARD)

    def test_nn_module_is_put_back(self) -> None:
        from torch import nn

        before = nn.Module.__call__
        proof("nn.Linear(1, 1)(torch.ones(1))")
        assert nn.Module.__call__ is before
        assert "training" not in nn.Module.__dict__


class TestReads:
    def test_item_and_conversions_are_told_apart(self) -> None:
        program = """
            x = torch.ones(2, requires_grad=True).sum()
            x.item()
            float(x)
            x.tolist()
            x.detach().item()
            torch.ones(1).item()
        """
        assert lines(seen(program, Kind.GRAD_READ)) == [4]
        assert lines(seen(program, Kind.GRAD_CONVERSION)) == [5, 6]


class TestSavedTensors:
    STALE = """
        x = torch.ones(3, requires_grad=True)
        y = x.exp()
        z = y.sigmoid()
        y.mul_(2)
        z.add_(1)
        (y + z).sum().backward()
    """

    def test_writer_saver_and_backward_are_named(self) -> None:
        [one] = seen(self.STALE, Kind.STALE_SAVE)
        assert (one.site.line, [remark.site.line for remark in one.remarks]) == (7, [5, 8])
        assert "'sigmoid'" in one.remarks[0].text

    def test_torch_raises_in_its_own_words(self) -> None:
        error = proof(self.STALE).record.error
        assert error is not None
        assert "modified by an inplace operation: [torch.FloatTensor [3]]" in error
        assert "is at version 1; expected version 0 instead" in error

    def test_every_fault_shows_when_backward_goes_on(self) -> None:
        found = proof(self.STALE, carry_on=True).record
        assert found.error is None
        assert lines([one for one in found.observations if one.kind is Kind.STALE_SAVE]) == [6, 7]

    def test_a_write_that_no_backward_meets_is_another_thing(self) -> None:
        program = """
            x = torch.ones(3, requires_grad=True)
            y = x.exp()
            y.zero_()
        """
        assert lines(seen(program, Kind.UNREACHED_SAVE)) == [5]
        assert not seen(program, Kind.STALE_SAVE)

    def test_a_write_in_a_library_counts_for_the_line_that_called_it(self) -> None:
        found = seen(
            """
            net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
            loss = net(torch.ones(1, 2)).sum()
            net(torch.ones(1, 2)).sum().backward()
            optimizer.step()
            loss.backward()
            """,
            Kind.STALE_SAVE,
        )
        assert lines(found) == [7]

    @pytest.mark.parametrize(
        "write",
        ["y.data.mul_(2)", "y.detach().numpy()[0] = 9.0"],
        ids=["data", "numpy"],
    )
    def test_a_write_that_torch_does_not_count_is_seen_by_its_values(self, write: str) -> None:
        program = f"""
            x = torch.ones(3, requires_grad=True)
            y = x.exp()
            {write}
            y.sum().backward()
        """
        assert len(seen(program, Kind.SILENT_WRITE)) == 1

    def test_a_fused_step_between_forward_and_backward_is_seen(self) -> None:
        [one] = seen(
            """
            net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1, fused=True)
            loss = net(torch.ones(1, 2)).sum()
            net(torch.ones(1, 2)).sum().backward()
            optimizer.step()
            loss.backward()
            """,
            Kind.SILENT_WRITE,
        )
        assert one.site.line == 7

    @pytest.mark.parametrize(
        "program",
        [
            "x = torch.ones(2, requires_grad=True)\ny = x.exp()\ny.sum().backward()\ny.detach().mul_(2)\n",
            "x = torch.ones(2, requires_grad=True)\ny = x + 1\ny.mul_(2)\ny.sum().backward()\n",
            "net = nn.BatchNorm1d(2)\nnet(torch.rand(3, 2)).sum().backward()\n",
            "x = torch.ones(2, requires_grad=True)\ny = x.exp()\ny.clone().mul_(2)\ny.sum().backward()\n",
        ],
        ids=["after backward", "not saved", "batch_norm writes its own statistics", "a clone"],
    )
    def test_near_misses(self, program: str) -> None:
        kinds = {one.kind for one in proof(program).record.observations}
        assert not kinds & {Kind.STALE_SAVE, Kind.SILENT_WRITE, Kind.UNREACHED_SAVE}

    def test_gradients_are_those_of_an_unwatched_run(self) -> None:
        program = """
            net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
            net(torch.ones(2, 3)).square().sum().backward()
            print([p.grad.tolist() for p in net.parameters()])
            x = torch.ones(2, requires_grad=True)
            (g,) = torch.autograd.grad(x.pow(3).sum(), x, create_graph=True)
            g.sum().backward()
            print(x.grad.tolist())
        """
        plain = execute("import torch\nfrom torch import nn\n" + dedent(program), FILE)
        watched = proof(program).record
        assert watched.error is None
        assert watched.printed == plain.printed

    def test_functional_transforms_run_without_hooks(self) -> None:
        found = proof("print(torch.func.grad(lambda x: (x * x).sum())(torch.ones(2)).tolist())")
        assert (found.record.error, found.record.printed) == (None, "[2.0, 2.0]\n")

    def test_graphs_are_freed_as_without_observers(self) -> None:
        program = """
            import weakref
            x = torch.ones(4, requires_grad=True)
            y = x.exp()
            gone = weakref.ref(y)
            z = y * 2
            del y, z
            print(gone() is None)
        """
        assert proof(program).record.printed == "True\n"


class TestSavedMemory:
    def test_what_is_saved_twice_counts_once(self) -> None:
        once = proof("x = torch.ones(8, requires_grad=True)\ny = x.sin()\n").record.saved_bytes
        twice = proof("x = torch.ones(8, requires_grad=True)\ny = x.sin() + x.cos()\n").record.saved_bytes
        assert (once, twice) == (32, 32)

    def test_nothing_is_saved_without_gradients(self) -> None:
        program = "x = torch.ones(8, requires_grad=True)\nwith torch.no_grad():\n    y = x.sin()\n"
        assert proof(program).record.saved_bytes == 0


class TestGraphsKept:
    TRAINING = """
        x = torch.ones(3, requires_grad=True)
        total, history = 0.0, []
        for _ in range(6):
            loss = x.exp().sum()
            loss.backward()
            {keep}
    """

    @pytest.mark.parametrize(
        ("keep", "holder"), [("total += loss", "total"), ("history.append(loss)", "history")]
    )
    def test_what_keeps_the_graphs_of_all_steps_is_named(self, keep: str, holder: str) -> None:
        found = seen(self.TRAINING.format(keep=keep), Kind.GRAPH_KEPT)
        assert found
        assert any(f"held by '{holder}'" == remark.text for one in found for remark in one.remarks)

    @pytest.mark.parametrize(
        "keep", ["total += loss.item()", "total += loss.detach()", "last = loss", "history[:] = [loss]"]
    )
    def test_near_misses(self, keep: str) -> None:
        assert not seen(self.TRAINING.format(keep=keep), Kind.GRAPH_KEPT)

    def test_a_validation_without_no_grad_keeps_all_rounds(self) -> None:
        program = """
            x = torch.ones(3, requires_grad=True)
            total = 0.0
            for _ in range(6):
                total = total + x.exp().sum()
        """
        assert 6 in lines(seen(program, Kind.GRAPH_KEPT))

    def test_an_unrolled_loop_that_backward_passes_is_no_leak(self) -> None:
        program = """
            x = torch.ones(3, requires_grad=True)
            for _ in range(4):
                h = x
                for _ in range(5):
                    h = torch.tanh(h)
                h.sum().backward()
        """
        assert not seen(program, Kind.GRAPH_KEPT)


class TestModes:
    def test_an_inference_tensor_in_autograd_is_traced_to_its_birth(self) -> None:
        [one] = seen(
            """
            w = torch.ones(2, requires_grad=True)
            with torch.inference_mode():
                x = torch.ones(2) * 2
            w * x
            """,
            Kind.INFERENCE_TENSOR,
        )
        assert (one.site.line, [remark.site.line for remark in one.remarks]) == (6, [5])

    def test_a_clone_repairs_it(self) -> None:
        program = """
            w = torch.ones(2, requires_grad=True)
            with torch.inference_mode():
                x = torch.ones(2) * 2
            w * x.clone()
        """
        assert not seen(program, Kind.INFERENCE_TENSOR)

    def test_grad_mode_left_off_names_the_switch(self) -> None:
        program = "torch.set_grad_enabled(False)\ntorch.ones(1)\n"
        assert lines(seen(program, Kind.GRAD_LEFT_OFF)) == [3]
        assert not seen(program + "torch.set_grad_enabled(True)\n", Kind.GRAD_LEFT_OFF)


class TestRegions:
    def test_a_region_is_tried_as_inference_mode(self) -> None:
        program = """
            w = torch.ones(2, requires_grad=True)
            with torch.no_grad():
                target = w * 2
                print(target.sum().item())
            {after}
        """
        assert lines(seen(program.format(after="print(target + 1)"), Kind.INFERENCE_SAFE)) == [4]
        [one] = seen(program.format(after="(w * target).sum().backward()"), Kind.INFERENCE_UNSAFE)
        assert one.site.line == 4
        assert "Inference tensors cannot be saved for backward" in one.text

    def test_each_region_is_judged_by_itself(self) -> None:
        program = """
            w = torch.ones(2, requires_grad=True)
            with torch.no_grad():
                target = w * 2
                print(target.sum().item())

            @torch.no_grad()
            def norm():
                return w.norm().item()

            print(norm())
            (w * target).sum().backward()
        """
        assert lines(seen(program, Kind.INFERENCE_SAFE)) == [8]
        assert lines(seen(program, Kind.INFERENCE_UNSAFE)) == [4]

    def test_a_region_that_only_updates_does_no_inference(self) -> None:
        program = """
            w = torch.ones(2, requires_grad=True)
            with torch.no_grad():
                w.sub_(0.1)
        """
        assert proof(program).runs == 1

    def test_regions_inside_torch_are_left_alone(self) -> None:
        found = proof(
            "nn.init.orthogonal_(torch.empty(2, 2))\ntorch.optim.SGD([torch.ones(1)], lr=1).zero_grad()"
        )
        assert found.runs == 1

    def test_a_program_that_never_does_the_same_is_compared_by_errors(self) -> None:
        program = """
            import time
            w = torch.ones(2, requires_grad=True)
            with torch.no_grad():
                print((w * 2).sum().item(), time.perf_counter())
        """
        [one] = seen(program, Kind.INFERENCE_SAFE)
        assert "differs from run to run" in one.text


class TestRecords:
    def test_a_record_survives_as_json(self) -> None:
        import json

        before = proof(TestSavedTensors.STALE, lines=True).record
        assert before.observations
        assert before.lines
        after = record_from(json.loads(json.dumps(before.as_json())))
        assert after == before

    def test_lines_are_those_that_ran(self) -> None:
        found = proof("if torch.ones(1) > 2:\n    print(1)\nelse:\n    print(2)\n", lines=True).record
        ran = {line for file, line in found.lines}
        assert 6 in ran
        assert 4 not in ran

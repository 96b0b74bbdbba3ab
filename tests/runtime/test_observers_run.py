"""Each observer on small programs: what it must see, by line, and the near miss that it must not."""

from __future__ import annotations

from textwrap import dedent

import pytest
from watched import FILE, lines, proof, seen

from torchlint.prove.observations import Kind
from torchlint.prove.programs import execute
from torchlint.prove.records import record_from


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
        assert lines(seen(program, Kind.GRAD_CONVERSION)) == [5]


class TestRefusals:
    def test_a_refused_write_is_told_with_its_callers(self) -> None:
        [one] = seen(
            """
            def scale(values):
                values.mul_(2)

            scale(torch.ones(3, requires_grad=True))
            """,
            Kind.LEAF_WRITTEN,
        )
        assert (one.site.line, [site.line for site in one.callers]) == (4, [6])

    @pytest.mark.parametrize(
        "grad_mode", ["enable_grad", "no_grad"], ids=["one of several", "made without gradients"]
    )
    def test_a_view_refused_at_its_use_is_told_at_the_last_write_of_its_base(self, grad_mode: str) -> None:
        [one] = seen(
            f"""
            def pieces(y):
                with torch.{grad_mode}():
                    first, second = y.chunk(2)
                y.mul_(2)
                y.mul_(3)
                return y + first

            pieces(torch.ones(1, requires_grad=True).expand(2).clone())
            """,
            Kind.VIEW_WRITTEN,
        )
        assert (one.site.line, [site.line for site in one.callers]) == (7, [10])
        assert [remark.site.line for remark in one.remarks] == [8]

    @pytest.mark.parametrize(
        "program",
        [
            "y = torch.ones(4, requires_grad=True) * 2\nfor row in y:\n    row + 1\ny.mul_(2)\n",
            "y = torch.ones(4)\nfor row in y:\n    row.mul_(2)\n",
            "torch.ones(4) + torch.ones(5)\n",
        ],
        ids=["used before", "no graph", "another error"],
    )
    def test_near_misses(self, program: str) -> None:
        assert not seen(program, Kind.VIEW_WRITTEN)


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

    def test_a_parameter_made_of_one_is_seen_and_its_callers_are_named(self) -> None:
        [one] = seen(
            """
            def learned(x):
                return torch.nn.Parameter(x)
            with torch.inference_mode():
                x = torch.ones(2) * 2
            learned(x)
            """,
            Kind.INFERENCE_TENSOR,
        )
        assert (one.site.line, [site.line for site in one.callers]) == (4, [7])
        assert [remark.site.line for remark in one.remarks] == [6]

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


class TestIdleSwitches:
    def test_a_switch_that_nobody_enters(self) -> None:
        program = """
            torch.no_grad()
            kept = torch.enable_grad()
            torch.set_grad_enabled(True)
            torch.no_grad()(print)()
            with kept, torch.inference_mode():
                torch.ones(1)
        """
        assert lines(seen(program, Kind.IDLE_SWITCH)) == [3]

    def test_a_class_that_is_entered_is_seen_though_the_error_is_caught(self) -> None:
        program = """
            def enter(switch):
                with switch:
                    pass

            enter(torch.no_grad())
            try:
                enter(torch.no_grad)
            except (AttributeError, TypeError):
                pass
        """
        assert lines(list(proof(program, lines=True).record.observations)) == [4]

    @pytest.mark.parametrize("decorator", ["torch.no_grad()", "torch.inference_mode", "torch.enable_grad()"])
    def test_a_coroutine_is_not_covered(self, decorator: str) -> None:
        program = f"""
            @{decorator}
            async def answer():
                return 1

            @{decorator}
            def plain():
                return 1
        """
        assert lines(seen(program, Kind.IDLE_SWITCH)) == [3]

    def test_a_generator_covers_its_caller_only_while_it_waits_inside(self) -> None:
        program = """
            def rows(inside):
                with torch.no_grad():
                    row = torch.ones(2)
                    if inside:
                        yield row
                if not inside:
                    yield row

            for row in rows({inside}):
                row + 1
        """
        [one] = seen(program.format(inside=True), Kind.IDLE_SWITCH)
        assert (one.site.line, [remark.site.line for remark in one.remarks]) == (4, [12])
        assert not seen(program.format(inside=False), Kind.IDLE_SWITCH)

    def test_what_covers_its_caller_on_purpose(self) -> None:
        program = """
            from contextlib import contextmanager

            @contextmanager
            def quiet():
                with torch.no_grad():
                    yield

            @torch.no_grad()
            def rows():
                yield torch.ones(2)

            with quiet():
                torch.ones(2) + 1
            for row in rows():
                row + 1
        """
        assert not seen(program, Kind.IDLE_SWITCH)


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

        before = proof("x = torch.ones(3, requires_grad=True).exp()\nx.sum().item()\n", lines=True).record
        assert before.observations
        assert before.lines
        after = record_from(json.loads(json.dumps(before.as_json())))
        assert after == before

    def test_lines_are_those_that_ran(self) -> None:
        found = proof("if torch.ones(1) > 2:\n    print(1)\nelse:\n    print(2)\n", lines=True).record
        ran = {line for file, line in found.lines}
        assert 6 in ran
        assert 4 not in ran

"""The observers of saved tensors and of graphs on small programs, with the near misses."""

from __future__ import annotations

from textwrap import dedent

import pytest
from watched import FILE, lines, proof, seen

from torchlint.prove.observations import Kind
from torchlint.prove.programs import execute


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

    def test_the_callers_of_an_unnoticed_write_are_told_too(self) -> None:
        [one] = seen(
            """
            def damp(values):
                values.data.mul_(0.5)

            x = torch.zeros(2, requires_grad=True)
            y = x.exp()
            damp(y)
            y.sum().backward()
            """,
            Kind.SILENT_WRITE,
        )
        assert (one.site.line, [site.line for site in one.callers]) == (4, [8])

    def test_an_unnoticed_write_that_changes_no_gradient_is_no_fault(self) -> None:
        program = """
            norm = nn.BatchNorm1d(2, momentum=1.0)
            x = torch.randn(4, 2, requires_grad=True)
            loss = norm(x).pow(2).sum() + norm(10 * x).sum()
            loss.backward()
        """
        assert not seen(program, Kind.SILENT_WRITE)

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

    def test_a_view_that_torch_refuses_to_explain_does_no_harm(self) -> None:
        found = proof("nn.init.orthogonal_(nn.Linear(2, 3).weight)\nprint('done')\n").record
        assert (found.error, found.printed, found.troubles) == (None, "done\n", ())

    def test_such_a_view_may_be_left_in_a_name(self) -> None:
        program = """
            y = torch.ones(3, requires_grad=True) * 2
            piece, *rest = y.unbind(0)
            with torch.no_grad():
                y.add_(1)
            print("done")
        """
        found = proof(program).record
        assert (found.error, found.printed, found.troubles) == (None, "done\n", ())

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

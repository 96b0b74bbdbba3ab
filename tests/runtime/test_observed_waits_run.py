"""Reads of what lies on a device, seen without one: what was moved counts, read in each step."""

from __future__ import annotations

import pytest
from watched import seen

from torchlint.prove.observations import Kind


class TestDeviceWaits:
    LOOP = """
        device = torch.device("cpu")
        net = nn.Linear(2, 1).to(device)
        for step in range(4):
            loss = net(torch.ones(3, 2).to(device)).sum()
            loss.backward()
            READ
    """

    def waits(self, read: str, *, loop: str = LOOP) -> list[int]:
        return sorted({one.site.line for one in seen(loop.replace("READ", read), Kind.DEVICE_WAIT)})

    @pytest.mark.parametrize(
        "read",
        [
            "loss.item()",
            "loss.detach().cpu()",
            "loss.detach().to('cpu')",
            "loss.tolist()",
            "loss.detach().numpy()",
            "print(loss)",
            "f'{loss:.3f}'",
            "str(loss)",
            "float(loss.detach())",
            "int(loss)",
            "bool(loss > 0)",
            "loss.detach().square().item()",
        ],
    )
    def test_what_was_moved_is_read_in_each_step(self, read: str) -> None:
        assert self.waits(read) == [8]

    @pytest.mark.parametrize(
        "read",
        [
            "loss.shape, len(net.weight), loss.dtype, loss.device",
            "loss.item() if step % 2 == 0 else None",
            "torch.ones(3).sum().item()",
            "loss.detach().to('cpu').item() if step == 3 else None",
        ],
    )
    def test_what_is_read_now_and_then_or_was_never_moved_does_not_count(self, read: str) -> None:
        assert self.waits(read) == []

    def test_two_steps_show_nothing(self) -> None:
        assert self.waits("loss.item()", loop=self.LOOP.replace("range(4)", "range(2)")) == []

    def test_a_read_in_a_function_has_its_callers(self) -> None:
        [one] = seen(
            """
            def value(loss):
                return loss.item()

            x = torch.ones(2, requires_grad=True)
            for _ in range(3):
                loss = x.to(torch.device("cpu")).sum()
                loss.backward()
                value(loss)
            """,
            Kind.DEVICE_WAIT,
        )
        assert one.site.line == 4
        assert [site.line for site in one.callers] == [10]

"""Finds the mistakes in PyTorch code that torch itself stays silent about.

`check` is the whole interface for programs; the rest are the frozen values it takes and gives.
Importing this package imports neither LibCST nor torch.
"""

from __future__ import annotations

from torchlint.config import Config
from torchlint.diagnostic import Diagnostic, Edit, Fix, Note, Span

__version__ = "0.1.0"
__all__ = ["Config", "Diagnostic", "Edit", "Fix", "Note", "Span", "__version__", "check"]


def check(
    source: str | bytes, *, filename: str = "<string>", config: Config | None = None
) -> list[Diagnostic]:
    """What torchlint finds in one source, in the order of its lines.

    Nothing is written, cached or imported on the user's side; the files of the project around `filename` are
    read as text. A source that cannot be read gives TL001.
    """
    from torchlint.runner import check_text

    return check_text(source, filename, config or Config())

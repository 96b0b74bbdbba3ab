"""`torchlint server`: the language server, for editors."""

from __future__ import annotations

import argparse

from torchlint.errors import ConfigError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Tell the parser of it."""
    server = commands.add_parser(
        "server",
        help="speak the language server protocol on standard input and output",
        description="The language server: editors start it and speak with it on standard input and output. "
        "It needs pygls, which comes with pip install 'torchlint[lsp]'.",
        allow_abbrev=False,
    )
    # Clients add it to whatever command they are given.
    server.add_argument("--stdio", action="store_true", help=argparse.SUPPRESS)
    server.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        from torchlint.lsp.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol", "cattrs", "attrs", "attr"):
            raise
        raise ConfigError("the server needs pygls: pip install 'torchlint[lsp]'") from None
    return serve()

"""Editors as the language server sees them: what each can do, what it has on its screen."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

SERVER = ClientServerConfig(server_command=[sys.executable, "-m", "torchlint", "server", "--stdio"])
_PATIENCE = 20  # seconds


class Editor:
    """One client with the capabilities of a real one."""

    def __init__(self, client: LanguageClient) -> None:
        self.client = client
        self.registered: list[str] = []
        self.pulls = False
        self.texts: dict[str, str] = {}
        self._last: dict[str, Any] = {}

        @client.feature(types.CLIENT_REGISTER_CAPABILITY)
        def register(params: types.RegistrationParams) -> None:
            self.registered += [one.method for one in params.registrations]

    async def start(self, kind: str, folder: str, options: object = None) -> types.InitializeResult:
        """Say hello as this kind of editor, with one folder open."""
        capabilities = client_capabilities(kind)
        self.pulls = bool(capabilities.text_document and capabilities.text_document.diagnostic)
        folders = [types.WorkspaceFolder(folder, "project")]
        return await self.client.initialize_session(
            types.InitializeParams(
                capabilities=capabilities, workspace_folders=folders, initialization_options=options
            )
        )

    def open(self, uri: str, text: str, version: int = 1) -> None:
        """Open a document."""
        item = types.TextDocumentItem(uri, "python", version, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def edit(self, uri: str, version: int, start: tuple[int, int], end: tuple[int, int], text: str) -> None:
        """Replace what lies between two places, in the units of the encoding that was agreed."""
        between = types.Range(types.Position(*start), types.Position(*end))
        change = types.TextDocumentContentChangePartial(between, text)
        known = types.VersionedTextDocumentIdentifier(uri=uri, version=version)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(known, [change]))

    def replace(self, uri: str, version: int, text: str) -> None:
        """Another text for all of it."""
        known = types.VersionedTextDocumentIdentifier(uri=uri, version=version)
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(known, [change]))

    def close(self, uri: str) -> None:
        """Close it."""
        self.client.text_document_did_close(
            types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri))
        )

    async def pull(self, uri: str, previous: str | None = None) -> Any:
        """Ask for the diagnostics of a document."""
        return await self.client.text_document_diagnostic_async(
            types.DocumentDiagnosticParams(types.TextDocumentIdentifier(uri), previous_result_id=previous)
        )

    async def shown(
        self, uri: str, wanted: Callable[[list[types.Diagnostic]], bool]
    ) -> list[types.Diagnostic]:
        """What is on the screen, once it is what is wanted; what it is at last where it never gets so."""
        for _ in range(_PATIENCE * 50):
            if self.pulls:
                found = list((await self.pull(uri)).items)
            else:
                found = list(self.client.diagnostics.get(uri, ()))
            if wanted(found):
                break
            await asyncio.sleep(0.02)
        return found

    async def codes(self, uri: str, *codes: str) -> list[types.Diagnostic]:
        """The same, where these codes are wanted and no others."""
        found = await self.shown(uri, lambda found: [str(one.code) for one in found] == list(codes))
        assert [str(one.code) for one in found] == list(codes), found
        return found

    async def told(self, beginning: str) -> None:
        """Wait for a message that begins so."""
        for _ in range(_PATIENCE * 50):
            said = [one.message for one in self.client.messages]
            if any(one.startswith(beginning) for one in said):
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{beginning!r} is not among {said}")

    async def actions(
        self, uri: str, at: types.Range, only: list[str] | None = None
    ) -> dict[str, types.CodeAction]:
        """What is offered at a place, by title."""
        given = await self.client.text_document_code_action_async(
            types.CodeActionParams(
                types.TextDocumentIdentifier(uri), at, types.CodeActionContext([], only=only)
            )
        )
        return {one.title: one for one in given or ()}  # type: ignore[misc]


def edits_of(action: types.CodeAction) -> list[types.TextEdit]:
    """The edits of an action to its one document."""
    assert action.edit is not None
    if action.edit.document_changes:
        (change,) = action.edit.document_changes
        return list(change.edits)  # type: ignore[union-attr,arg-type]
    assert action.edit.changes is not None
    ((_, edits),) = action.edit.changes.items()
    return list(edits)

"""Documents and notebooks as the client opens, edits and closes them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls import uris

from torchlint.lsp.documents import Document, Place
from torchlint.lsp.subjects import Subject

if TYPE_CHECKING:
    from torchlint.lsp.server import Server

_PYTHON = "python"


def add(server: Server) -> None:
    """Hear of all of it."""
    _documents(server)
    _notebooks(server)


def name_of(uri: str) -> tuple[str, bool]:
    """The name of what a uri stands for, and whether that is a file."""
    path = uris.to_fs_path(uri) if uri.startswith("file:") else None
    return (os.path.normpath(path), True) if path else (uri, False)


def _documents(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        given = params.text_document
        name, is_file = name_of(given.uri)
        if given.language_id not in (_PYTHON, "") or (not given.language_id and not name.endswith(".py")):
            return
        document = Document.opened(given.uri, _PYTHON, given.version, given.text)
        server.desk.open(Subject(given.uri, name, is_file, False, [document]))
        if not server.watches:
            # It may be new on the disk, as whatever else there; nobody will tell.
            server.choices.forget()
            server.desk.start_anew(disk=True)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def edited(params: types.DidChangeTextDocumentParams) -> None:
        subject = server.desk.subjects.get(params.text_document.uri)
        if subject is None:
            return
        edit(
            subject.parts[0], params.text_document.version, params.content_changes, server.abilities.encoding
        )
        server.desk.changed(subject)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        subject = server.desk.close(params.text_document.uri)
        if subject is not None and server.is_pushed(subject):
            server.clear(subject.uri)


def edit(
    document: Document,
    version: int,
    changes: Sequence[types.TextDocumentContentChangeEvent],
    encoding: str,
) -> None:
    """Make the edits of a client, one after the other."""
    for change in changes:
        if isinstance(change, types.TextDocumentContentChangePartial):
            start, end = change.range.start, change.range.end
            document.edit(
                Place(start.line, start.character), Place(end.line, end.character), change.text, encoding
            )
        else:
            document.replace(change.text)
    document.version = version


def _notebooks(server: Server) -> None:
    @server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenNotebookDocumentParams) -> None:
        notebook = params.notebook_document
        name, is_file = name_of(notebook.uri)
        documents = {one.uri: one for one in _documents_of(params.cell_text_documents)}
        cells = _code(notebook.cells)
        parts = [documents[uri] for uri in cells if uri in documents]
        subject = Subject(notebook.uri, name, is_file, True, parts, cells)
        for part in subject.parts:
            server.cells[part.uri] = notebook.uri
        server.desk.open(subject)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def edited(params: types.DidChangeNotebookDocumentParams) -> None:
        subject = server.desk.subjects.get(params.notebook_document.uri)
        cells = params.change.cells
        if subject is None or cells is None:
            return
        if cells.structure is not None:
            _restructure(server, subject, cells.structure)
        for change in cells.text_content or ():
            part = subject.part(change.document.uri)
            if part is not None:
                edit(subject.parts[part], change.document.version, change.changes, server.abilities.encoding)
        server.desk.changed(subject)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveNotebookDocumentParams) -> None:
        """What is saved has been analysed as it was typed."""

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseNotebookDocumentParams) -> None:
        subject = server.desk.close(params.notebook_document.uri)
        for part in subject.parts if subject is not None else ():
            server.cells.pop(part.uri, None)
            server.clear(part.uri)


def _documents_of(given: Sequence[types.TextDocumentItem] | None) -> list[Document]:
    return [
        Document.opened(one.uri, one.language_id, one.version, one.text)
        for one in given or ()
        if one.language_id == _PYTHON
    ]


def _restructure(
    server: Server, subject: Subject, structure: types.NotebookDocumentCellChangeStructure
) -> None:
    """Cells were put in, taken out or moved; only those of code are among the parts."""
    known = {part.uri: part for part in subject.parts}
    known.update((one.uri, one) for one in _documents_of(structure.did_open))
    for gone in structure.did_close or ():
        known.pop(gone.uri, None)
    spliced = structure.array
    subject.cells[spliced.start : spliced.start + spliced.delete_count] = _code(spliced.cells)
    subject.parts = [known[uri] for uri in subject.cells if uri in known]
    for uri in known.keys() - {part.uri for part in subject.parts} | {
        gone.uri for gone in structure.did_close or ()
    }:
        server.cells.pop(uri, None)
        server.clear(uri)
    server.cells.update((part.uri, subject.uri) for part in subject.parts)


def _code(cells: Sequence[types.NotebookCell] | None) -> list[str]:
    """The uris of cells, in their order; of those that hold no code an empty one, so that places stay."""
    return [cell.document if cell.kind is types.NotebookCellKind.Code else "" for cell in cells or ()]

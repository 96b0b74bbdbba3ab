"""The server: the features of the protocol, each a few lines over the desk."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from torchlint import __version__, rulebook
from torchlint.config import Config
from torchlint.lsp import actions, notes, sync
from torchlint.lsp.desk import Desk
from torchlint.lsp.protocol import Protocol
from torchlint.lsp.settings import SECTION, Choices, section
from torchlint.lsp.subjects import Analysis, Subject
from torchlint.lsp.values import Abilities, page_uri
from torchlint.session import Session

_NOTEBOOKS = types.NotebookDocumentSyncOptions(
    [
        types.NotebookDocumentFilterWithNotebook(
            notebook="jupyter-notebook", cells=[types.NotebookCellLanguage("python")]
        )
    ],
    save=True,
)
_WATCHED = ("**/*.toml", "**/*.py")  # a configuration file may extend one of any name


class Server(LanguageServer):
    """One client: what it can, what it has set, what it has open."""

    def __init__(self) -> None:
        super().__init__(
            "torchlint", __version__, notebook_document_sync=_NOTEBOOKS, protocol_cls=Protocol, max_workers=2
        )
        self.abilities = Abilities()
        self.pulls = False
        self.refreshes = False
        self.watches = False  # whether the client tells of files that change on the disk
        self.choices = Choices(self._complain)
        self.desk = Desk(self.choices.config_for, self.push, self._complain, self.is_pushed)
        self.cells: dict[str, str] = {}  # the notebook of a cell
        self.is_shut_down = False

    def is_pushed(self, subject: Subject) -> bool:
        """Whether diagnostics go out by themselves: to clients that do not ask, and always to cells."""
        return subject.is_notebook or not self.pulls

    def push(self, subject: Subject, analysis: Analysis) -> None:
        """Send what was found, to each part its own."""
        for number, part in enumerate(subject.parts):
            shown = subject.shown(analysis, number, self.abilities, self._open_files())
            version = part.version if not subject.is_notebook else None
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(part.uri, shown, version))

    def clear(self, uri: str) -> None:
        """Take back what was sent for a part that is gone."""
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def subject(self, uri: str) -> Subject | None:
        """The open subject that a document is, or that a cell belongs to."""
        return self.desk.subjects.get(self.cells.get(uri, uri))

    def items(self, subject: Subject, analysis: Analysis) -> list[types.Diagnostic]:
        """The diagnostics of a document that is no notebook."""
        return subject.shown(analysis, 0, self.abilities, self._open_files())

    def _open_files(self) -> dict[str, str]:
        return {one.filename: one.uri for one in self.desk.subjects.values() if one.is_file}

    def _complain(self, message: str) -> None:
        self.window_show_message(types.ShowMessageParams(types.MessageType.Error, f"torchlint: {message}"))

    async def ask_for_settings(self) -> None:
        """Ask the client what is set for it all and for each folder; then everything is analysed anew."""
        workspace = self.client_capabilities.workspace
        folders = list(self.protocol.workspace.folders)
        if workspace and workspace.configuration:
            asked = [types.ConfigurationItem(None, SECTION)]
            asked += [types.ConfigurationItem(uri, SECTION) for uri in folders]
            try:
                given = await self.workspace_configuration_async(types.ConfigurationParams(asked))
            except Exception as error:  # what was set before holds
                self._note(error)
            else:
                if given and section(given[0]):
                    self.choices.choose(section(given[0]))
                self.choices.choose_in(
                    {uri: section(one) for uri, one in zip(folders, given[1:], strict=False)}
                )
        else:
            self.choices.choose_in({uri: {} for uri in folders})
        await self.start_anew(disk=False)

    async def start_anew(self, *, disk: bool) -> None:
        """Settings or files have changed: analyse again, and let a client that pulls ask again."""
        self.choices.forget()
        self.desk.start_anew(disk=disk)
        if self.pulls and self.refreshes:
            await self.workspace_diagnostic_refresh_async(None)

    async def watch(self) -> None:
        """Let the client tell of files that change on the disk."""
        workspace = self.client_capabilities.workspace
        watching = workspace and workspace.did_change_watched_files
        registrations = []
        if watching and watching.dynamic_registration:
            self.watches = True
            watchers = [types.FileSystemWatcher(pattern) for pattern in _WATCHED]
            registrations.append(
                types.Registration(
                    "torchlint-files",
                    types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
                    types.DidChangeWatchedFilesRegistrationOptions(watchers),
                )
            )
        changing = workspace and workspace.did_change_configuration
        if changing and changing.dynamic_registration:
            options = types.DidChangeConfigurationRegistrationOptions(section=SECTION)
            method = types.WORKSPACE_DID_CHANGE_CONFIGURATION
            registrations.append(types.Registration("torchlint-settings", method, options))
        if registrations:
            try:
                await self.client_register_capability_async(types.RegistrationParams(registrations))
            except Exception as error:  # files that change on the disk go unnoticed then
                self._note(error)

    def _note(self, error: Exception) -> None:
        """Write down that a client could not do what it says it can."""
        self.window_log_message(types.LogMessageParams(types.MessageType.Warning, str(error)))


def make() -> Server:
    """A server with all its features, not started yet."""
    server = Server()
    _life(server)
    sync.add(server)
    _questions(server)
    return server


def _life(server: Server) -> None:
    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        capabilities = params.capabilities
        encoding = server.protocol.workspace.position_encoding
        server.abilities = Abilities.of(capabilities, getattr(encoding, "value", str(encoding)))
        text, workspace = capabilities.text_document, capabilities.workspace
        server.pulls = bool(text and text.diagnostic)
        refreshing = workspace and workspace.diagnostics
        server.refreshes = bool(refreshing and refreshing.refresh_support)
        server.choices.choose(section(params.initialization_options))

    @server.feature(types.INITIALIZED)
    async def initialized(params: types.InitializedParams) -> None:
        # The answer to `initialize` is out: now there is time for what takes time to import.
        server.desk.worker.submit("import", lambda stop: _import_engine())
        await server.watch()
        await server.ask_for_settings()

    @server.feature(types.SHUTDOWN)
    def shutdown(params: None) -> None:
        server.is_shut_down = True
        server.desk.end()

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def changed(params: types.DidChangeConfigurationParams) -> None:
        given = section(params.settings)
        if given:
            server.choices.choose(given)
        await server.ask_for_settings()

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def folders(params: types.DidChangeWorkspaceFoldersParams) -> None:
        await server.ask_for_settings()

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def watched(params: types.DidChangeWatchedFilesParams) -> None:
        # What is open counts as its buffer, and saving that changes nothing here. Where a pyproject.toml
        # lies decides what belongs to a project; what it says is not read for that.
        files = [one for one in params.changes if one.uri not in server.desk.subjects]
        if files:
            await server.start_anew(
                disk=any(
                    one.type is not types.FileChangeType.Changed or not one.uri.endswith(".toml")
                    for one in files
                )
            )

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def saved(params: types.DidSaveTextDocumentParams) -> None:
        # A client that watches nothing shows no other sign of somebody who has been at a configuration.
        if not server.watches and server.choices.is_other(list(server.desk.subjects.values())):
            await server.start_anew(disk=False)


def _import_engine() -> None:
    import torchlint.cures
    import torchlint.flow.evaluating
    import torchlint.flow.file
    import torchlint.rules  # noqa: F401


def _questions(server: Server) -> None:
    options = types.DiagnosticOptions(
        identifier="torchlint", inter_file_dependencies=True, workspace_diagnostics=False
    )

    @server.feature(types.TEXT_DOCUMENT_DIAGNOSTIC, options)
    async def pulled(
        params: types.DocumentDiagnosticParams,
    ) -> types.RelatedFullDocumentDiagnosticReport | types.RelatedUnchangedDocumentDiagnosticReport:
        subject = server.subject(params.text_document.uri)
        if subject is None or server.is_pushed(subject):
            return types.RelatedFullDocumentDiagnosticReport([])
        analysis = await server.desk.analysed(subject)
        if analysis is None:
            return types.RelatedFullDocumentDiagnosticReport([])
        if params.previous_result_id == analysis.result_id:
            return types.RelatedUnchangedDocumentDiagnosticReport(analysis.result_id)
        return types.RelatedFullDocumentDiagnosticReport(
            server.items(subject, analysis), result_id=analysis.result_id
        )

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(params: types.HoverParams) -> types.Hover | None:
        known = await _current(server, params.text_document.uri)
        return notes.hover(*known, params.position, server.abilities) if known is not None else None

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(list(actions.KINDS)))
    async def act(params: types.CodeActionParams) -> list[types.CodeAction]:
        known = await _current(server, params.text_document.uri)
        if known is None:
            return []
        only = params.context.only
        found: list[types.CodeAction] = []
        if actions.is_wanted(types.CodeActionKind.QuickFix, only):
            found += actions.quick_fixes(*known, params.range, server.abilities)
        if actions.is_wanted(actions.FIX_ALL, only):
            found += await _fix_all(server, *known)
        return found

    @server.command(actions.OPEN_PAGE)
    async def open_page(code: str) -> None:
        uri = page_uri(code)
        if uri is None:
            return
        window = server.client_capabilities.window
        if window and window.show_document and window.show_document.support:
            await server.window_show_document_async(types.ShowDocumentParams(uri, take_focus=True))
        else:
            text = f"{rulebook.path(code)}\n{notes.summary(rulebook.page(code))}"
            server.window_show_message(types.ShowMessageParams(types.MessageType.Info, text))


async def _current(server: Server, uri: str) -> tuple[Subject, Analysis, int] | None:
    """What is known of a document or cell as it is now; None where that is nothing, or it cannot be read."""
    subject = server.subject(uri)
    analysis = await server.desk.analysed(subject) if subject is not None else None
    if subject is None or analysis is None or analysis.revision != subject.revision:
        return None
    part = subject.part(uri)
    return (subject, analysis, part) if part is not None else None


async def _fix_all(server: Server, subject: Subject, analysis: Analysis, part: int) -> list[types.CodeAction]:
    if not any(one.here.fix is not None and one.here.fix.safe for one in analysis.found):
        return []

    def work(session: Session, config: Config, stop: Any) -> Any:
        try:
            return analysis.text.fixed(lambda source: session.check(source, config, stop=stop))
        finally:
            # The fixed text is an offer; what is open is still the other one.
            session.hold(analysis.text.source)

    after = await server.desk.do(subject, "fix", work)
    if after is None or analysis.revision != subject.revision:
        return []
    action = actions.fix_all(subject, analysis, part, after, server.abilities)
    return [action] if action is not None else []


class _Pipe:
    """The way to the client. Where nobody reads any more what is sent is lost.

    pygls would answer such an error by sending it to the client, and so on; the end of its input ends it.
    """

    def __init__(self, stream: io.FileIO) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data:
                data = data[self._stream.write(data) :]

    def flush(self) -> None:
        pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.close()


def serve() -> int:
    """Speak with the client on standard input and output until it goes; gives the exit status.

    It is 0 where the client had asked for the end before, as the protocol wants, else 1.
    """
    server = make()
    # The stream belongs to the protocol alone: what anybody prints goes elsewhere, and pygls closes it.
    gc.disable()  # the worker collects after each job, and not in the midst of one
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    assert isinstance(stream, io.FileIO)
    sys.stdout = sys.stderr
    try:
        server.start_io(stdout=_Pipe(stream))  # type: ignore[arg-type]
    finally:
        server.desk.end()
    return 0 if server.is_shut_down else 1

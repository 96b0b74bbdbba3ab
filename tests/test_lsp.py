"""The language server, spoken to by what real editors say of themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_lsp
from command import LOGS_A_GRAPH
from editors import SERVER, Editor, edits_of
from lsprotocol import types
from pytest_lsp import LanguageClient

# The column of `y` behind an emoji: in bytes, in UTF-16 units, in code points.
MODEL = LOGS_A_GRAPH.replace("print(", 'print("😀", ')
COLUMNS = {"utf-8": 14, "utf-16": 12, "utf-32": 11}
ENDED = types.Position(0, 0)


@pytest_lsp.fixture(config=SERVER)
async def client(lsp_client: LanguageClient) -> AsyncIterator[None]:
    yield
    await lsp_client.shutdown_session()


@pytest.mark.asyncio
@pytest.mark.limit(60)
@pytest.mark.parametrize(
    ("kind", "encoding"),
    [
        ("neovim@v0.11.0", "utf-8"),
        ("neovim@v0.7.0", "utf-16"),
        ("visual_studio_code", "utf-16"),
        ("emacs", "utf-32"),
    ],
)
async def test_an_editor_shows_findings_and_mends_them(
    client: LanguageClient, kind: str, encoding: str, tmp_path: Path
) -> None:
    editor = Editor(client)
    answer = await editor.start(kind, tmp_path.as_uri())
    assert answer.capabilities.position_encoding == encoding
    sync = answer.capabilities.text_document_sync
    assert isinstance(sync, types.TextDocumentSyncOptions)
    assert sync.change is types.TextDocumentSyncKind.Incremental
    column = COLUMNS[encoding]
    uri = (tmp_path / "train.py").as_uri()
    editor.open(uri, MODEL)
    (found,) = await editor.codes(uri, "TL201")
    assert (found.range.start, found.range.end) == (types.Position(3, column), types.Position(3, column + 8))
    assert found.severity is types.DiagnosticSeverity.Information
    assert found.source == "torchlint"
    data: Any = found.data
    assert _field(data, "applicability") == "safe"

    actions = await editor.actions(uri, found.range)
    fix = actions["Put .detach() before .item() (TL201)"]
    assert fix.is_preferred
    assert [edit.new_text for edit in edits_of(fix)] == ["detach().item"]
    # An editor that knows versions makes the edit only in the text that it is for.
    assert fix.edit is not None
    assert (fix.edit.document_changes is not None) is not kind.startswith("neovim")
    assert [one.text_document.version for one in fix.edit.document_changes or ()] in ([1], [])
    ignore = actions["Ignore TL201 on this line"]
    assert [edit.new_text for edit in edits_of(ignore)] == ["  # torchlint: ignore[TL201]"]
    assert "Open the page of TL201 (item-without-detach)" in actions
    everything = await editor.actions(uri, types.Range(ENDED, ENDED), ["source.fixAll"])
    assert list(everything) == ["Make all safe fixes of torchlint"]
    assert not await editor.actions(uri, found.range, ["refactor"])
    hover = await editor.client.text_document_hover_async(
        types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(3, column + 2))
    )
    assert hover is not None
    assert "# item-without-detach (TL201)" in hover.contents.value  # type: ignore[union-attr]

    (edit,) = edits_of(fix)
    start, end = edit.range.start, edit.range.end
    editor.edit(uri, 2, (start.line, start.character), (end.line, end.character), edit.new_text)
    await editor.codes(uri)
    editor.edit(uri, 3, (start.line, start.character), (start.line, start.character + 9), "")
    await editor.codes(uri, "TL201")
    editor.edit(uri, 4, (3, 0), (3, 0), "if (:\n")  # no Python any more: what was known stays
    await asyncio.sleep(0.2)
    await editor.codes(uri, "TL201")
    editor.close(uri)
    if not editor.pulls:
        await editor.codes(uri)
    assert not [message for message in editor.client.messages if "rror" in message.message]


@pytest.mark.asyncio
@pytest.mark.limit(60)
async def test_settings_other_files_and_notebooks(client: LanguageClient, tmp_path: Path) -> None:
    editor = Editor(client)
    editor.client.set_configuration({"torchlint": {"ignore": ["TL201"]}})
    await editor.start("visual_studio_code", tmp_path.as_uri())
    uri, other = (tmp_path / "train.py").as_uri(), (tmp_path / "nets.py").as_uri()
    editor.open(uri, LOGS_A_GRAPH)
    await editor.codes(uri)
    editor.client.set_configuration({"torchlint": {"ignore": []}})
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    await editor.codes(uri, "TL201")
    editor.client.set_configuration({"torchlint": {"ignore": ["TL999"]}})
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    said = "torchlint: unknown rule code 'TL999' in 'ignore' of the editor"
    await editor.told(said)
    await editor.codes(uri, "TL201")  # what held before holds
    editor.client.set_configuration({"torchlint": {"select": ["TL1", "item-without-detach"]}})
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    assert types.WORKSPACE_DID_CHANGE_WATCHED_FILES in editor.registered

    # What another open file says counts before it is saved, and where it is nowhere but in the editor.
    editor.replace(uri, 2, USES_A_NET)
    (tmp_path / "nets.py").write_text(A_NET)
    made = types.FileEvent(other, types.FileChangeType.Created)
    editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([made]))
    editor.open(other, A_NET.replace("nn.Dropout(0.1)", "nn.ReLU()"))
    await editor.codes(uri)
    editor.replace(other, 2, A_NET)
    found = await editor.shown(uri, lambda found: [one.code for one in found] == ["TL101"])
    assert [one.code for one in found] == ["TL101"]
    editor.close(uri)
    editor.close(other)
    assert len([one for one in editor.client.messages if one.message.startswith(said)]) == 1


@pytest.mark.asyncio
@pytest.mark.limit(60)
async def test_cells_are_read_together_and_shown_apart(client: LanguageClient, tmp_path: Path) -> None:
    editor = Editor(client)
    await editor.start("visual_studio_code", tmp_path.as_uri())
    cells = [(tmp_path / "n.ipynb").as_uri().replace("file:", "cells:") + f"#{name}" for name in "abcd"]
    texts = [
        "%matplotlib inline\nimport torch",
        "x = torch.ones(1, requires_grad=True)",
        "!ls 'it\nprint((x * 2).item())",
        "print(",
    ]
    kind = types.NotebookCellKind.Code
    notebook = (tmp_path / "n.ipynb").as_uri()
    editor.client.notebook_document_did_open(
        types.DidOpenNotebookDocumentParams(
            types.NotebookDocument(
                notebook, "jupyter-notebook", 1, [types.NotebookCell(kind, uri) for uri in cells]
            ),
            [types.TextDocumentItem(uri, "python", 1, text) for uri, text in zip(cells, texts, strict=True)],
        )
    )
    (found_,) = await editor.codes(cells[2], "TL201")
    assert found_.range.start == types.Position(1, 6)
    (broken,) = await editor.codes(cells[3], "TL001")
    assert broken.message.startswith("cannot parse this cell")
    assert list(await editor.actions(cells[3], broken.range)) == []
    offered = await editor.actions(cells[2], found_.range)
    fix, ignore = (
        offered[one] for one in ("Put .detach() before .item() (TL201)", "Ignore TL201 on this line")
    )
    assert (fix.is_preferred, edits_of(fix)[0].new_text) == (True, "detach().item")
    assert edits_of(ignore)[0] == types.TextEdit(
        types.Range(types.Position(1, 21), types.Position(1, 21)), "  # torchlint: ignore[TL201]"
    )
    everything = await editor.actions(cells[2], found_.range, ["source.fixAll.torchlint"])
    (edit,) = edits_of(everything["Make all safe fixes of torchlint"])
    assert edit.new_text.strip() == "print((x * 2).detach().item())"
    assert not await editor.actions(cells[1], found_.range, ["source.fixAll.torchlint"])
    known = types.VersionedNotebookDocumentIdentifier(version=2, uri=notebook)
    gone = types.NotebookDocumentCellChangeStructure(
        types.NotebookCellArrayChange(1, 1, []), did_close=[types.TextDocumentIdentifier(cells[1])]
    )
    change = types.NotebookDocumentChangeEvent(cells=types.NotebookDocumentCellChanges(structure=gone))
    editor.client.notebook_document_did_change(types.DidChangeNotebookDocumentParams(known, change))
    await editor.codes(cells[2])
    await editor.codes(cells[3], "TL001")


@pytest.mark.asyncio
@pytest.mark.limit(60)
async def test_configuration_files_hold_and_the_editor_stands_above(
    client: LanguageClient, tmp_path: Path
) -> None:
    editor = Editor(client)
    editor.client.set_configuration({"torchlint": {"extendSelect": ["TL003"], "ignore": [], "select": None}})
    (tmp_path / "build").mkdir()
    project, uri = tmp_path / "pyproject.toml", (tmp_path / "train.py").as_uri()
    project.write_text("[tool.torchlint]\nignore = ['TL201']\n")
    await editor.start("visual_studio_code", tmp_path.as_uri())
    editor.open(uri, LOGS_A_GRAPH + "pass  # noqa: TL301\n")
    await editor.codes(uri, "TL003")
    out = (tmp_path / "build" / "train.py").as_uri()
    editor.open(out, LOGS_A_GRAPH)  # excluded, as `torchlint check .` does
    await editor.codes(out)

    async def write(text: str, *codes: str) -> None:
        project.write_text(text)
        change = types.FileEvent(project.as_uri(), types.FileChangeType.Changed)
        editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([change]))
        await editor.codes(uri, *codes)

    await write("[tool.torchlint]\nextend-exclude = []\n", "TL201", "TL003")
    await write("[tool.torchlint]\nselct = []\n", "TL201", "TL003")
    await editor.told(f"torchlint: {project}:2: unknown key 'selct'")
    await write("[tool.torchlint]\nselct = []\nfix = true\n", "TL201", "TL003")
    editor.open((tmp_path / "other.py").as_uri(), LOGS_A_GRAPH)
    await editor.codes((tmp_path / "other.py").as_uri(), "TL201")
    await write("[tool.torchlint]\nselect = ['TL3']\n", "TL003")
    assert len([one for one in editor.client.messages if "selct" in one.message]) == 1


@pytest.mark.asyncio
@pytest.mark.limit(60)
async def test_a_client_that_watches_nothing_and_sets_all_at_the_start(
    client: LanguageClient, tmp_path: Path
) -> None:
    (tmp_path / "known.json").write_text(
        '{"version": 1, "findings": {"other.py": {"TL201": {"print(y.item())": 1}}}}'
    )
    editor = Editor(client)
    options = {"select": ["TL2"], "baseline": "known.json"}
    await editor.start("neovim@v0.7.0", tmp_path.as_uri(), options)
    uri, other = (tmp_path / "train.py").as_uri(), (tmp_path / "other.py").as_uri()
    editor.open(uri, LOGS_A_GRAPH)
    editor.open(other, LOGS_A_GRAPH + "print(y.item(), end='')\n")
    await editor.codes(uri, "TL201")
    (found,) = await editor.codes(other, "TL201")
    assert found.range.start.line == 4
    (tmp_path / "torchlint.toml").write_text("per-file-ignores = { 'train.py' = ['TL201'] }\n")
    for one in (uri, other):
        editor.client.text_document_did_save(
            types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(one))
        )
    await editor.codes(uri)
    await editor.codes(other, "TL201")

    editor.open(uri, KEEPS_A_NUMBER, 7)
    (found,) = await editor.codes(uri, "TL202")
    offered = await editor.actions(uri, found.range)
    fixes = [one for one in offered.values() if one.title.partition(" (")[0] in DETACHINGS]
    assert [(one.title.partition(" (")[0], one.is_preferred) for one in fixes] == [
        (DETACHINGS[0], True),
        (DETACHINGS[1], False),
    ]
    assert edits_of(fixes[1])[0].new_text == "loss.detach().item()"


@pytest.mark.asyncio
@pytest.mark.limit(60)
async def test_a_client_that_names_the_configuration(client: LanguageClient, tmp_path: Path) -> None:
    """It holds instead of what lies near the files, and its patterns start at the folder of the client."""
    (tmp_path / "torchlint.toml").write_text("ignore = ['TL2']\n")
    (tmp_path / "lint").mkdir()
    (tmp_path / "lint" / "mine.toml").write_text("per-file-ignores = { 'old/*' = ['TL2'] }\n")
    editor = Editor(client)
    await editor.start("neovim@v0.7.0", tmp_path.as_uri(), {"configuration": "lint/mine.toml"})
    for name in ("train.py", "old/train.py"):
        editor.open((tmp_path / name).as_uri(), LOGS_A_GRAPH)
    await editor.codes((tmp_path / "train.py").as_uri(), "TL201")
    await editor.codes((tmp_path / "old" / "train.py").as_uri())


DETACHINGS = ("Detach it", "Keep its number, by .item()")
KEEPS_A_NUMBER = """\
import torch


def train(model, loader, optimizer):
    model.train()
    losses = []
    for x in loader:
        loss = model(x).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss)
    return sum(losses)
"""


@pytest.mark.asyncio
@pytest.mark.limit(90)
async def test_a_hostile_client_gets_no_stale_answer(client: LanguageClient, tmp_path: Path) -> None:
    editor = Editor(client)
    await editor.start("neovim@v0.7.0", tmp_path.as_uri())
    editor.open("untitled:Untitled-1", LOGS_A_GRAPH)
    await editor.codes("untitled:Untitled-1", "TL201")

    uri = (tmp_path / "fast.py").as_uri()
    editor.open(uri, LOGS_A_GRAPH)
    for number in range(200):  # faster than anybody analyses, with versions that run backwards
        editor.edit(uri, 300 - number, (0, 0), (0, 0), "# one more line\n")
    (found,) = await editor.shown(uri, lambda found: bool(found) and found[0].range.start.line == 203)
    assert found.range.start.line == 203
    # Places that are nowhere, ends before starts, documents that nobody opened, closed while analysed.
    editor.edit(uri, 500, (9_999, 9_999), (9_999, 0), "\n# the end")
    editor.edit(uri, 501, (1, 9_999), (0, 0), "")
    editor.edit(tmp_path.as_uri() + "/nowhere.py", 1, (0, 0), (5, 5), "x")
    editor.close(tmp_path.as_uri() + "/nowhere.py")
    (found,) = await editor.shown(uri, lambda found: bool(found) and found[0].range.start.line == 202)
    assert found.range.start.line == 202
    for number in range(5):
        editor.open(uri, LOGS_A_GRAPH * 40, version=number)
        editor.close(uri)
    await editor.codes(uri)

    large = (tmp_path / "large.py").as_uri()
    # Five megabytes; long lines, as what they cost is the reading of each again and again.
    editor.open(large, LOGS_A_GRAPH + f"# {'five megabytes ' * 333}\n" * 1_000)
    pending = asyncio.ensure_future(
        client.text_document_hover_async(
            types.HoverParams(types.TextDocumentIdentifier(large), types.Position(3, 8))
        )
    )
    await asyncio.sleep(0.05)
    client.cancel_request(types.CancelParams(_last_id(client)))
    with pytest.raises(Exception, match="ancel"):
        await pending
    editor.edit(large, 2, (900, 0), (900, 0), "x = 1\n")
    (found,) = await editor.codes(large, "TL201")
    assert found.range.start == types.Position(3, 6)
    editor.close(large)
    assert not await editor.actions(large, found.range)
    assert not [message for message in client.messages if "rror" in message.message]


A_NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        return self.drop(x)
"""
USES_A_NET = """\
import torch
from nets import Net


def evaluate(loader):
    net = Net()
    with torch.no_grad():
        return [net(x).argmax() for x in loader]
"""


def _field(data: Any, name: str) -> Any:
    return data[name] if isinstance(data, dict) else getattr(data, name)


def _last_id(client: LanguageClient) -> Any:
    return list(client.protocol._request_futures)[-1]

// All safe fixes of what is in front of the user.

import * as vscode from "vscode";

const FIX_ALL = vscode.CodeActionKind.SourceFixAll.append("torchlint");

/** Make the safe fixes of the active notebook or editor; gives how many documents or cells have changed. */
export async function fixAll(): Promise<number> {
  const notebook = vscode.window.activeNotebookEditor?.notebook;
  const editor = vscode.window.activeTextEditor?.document;
  const documents =
    notebook !== undefined
      ? notebook.getCells().map((cell) => cell.document).filter((document) => document.languageId === "python")
      : editor !== undefined
        ? [editor]
        : [];
  let changed = 0;
  // One after the other: a fix in a cell is a change of the program that the next cell belongs to.
  for (const document of documents) {
    const whole = new vscode.Range(0, 0, document.lineCount, 0);
    const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
      "vscode.executeCodeActionProvider",
      document.uri,
      whole,
      FIX_ALL.value,
    );
    for (const action of actions) {
      if (action.kind !== undefined && FIX_ALL.contains(action.kind) && action.edit !== undefined) {
        changed += (await vscode.workspace.applyEdit(action.edit)) ? 1 : 0;
      }
    }
  }
  return changed;
}

// The Python that is selected for a folder.

import * as fs from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";

/** What we use of the Python extension; it publishes its types as a package of its own. */
interface PythonExtension {
  readonly environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    resolveEnvironment(
      environment: { readonly path: string },
    ): Thenable<{ readonly executable: { readonly uri?: vscode.Uri } } | undefined>;
    readonly onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

async function pythonExtension(): Promise<PythonExtension | undefined> {
  const extension = vscode.extensions.getExtension<PythonExtension>("ms-python.python");
  if (extension === undefined) {
    return undefined;
  }
  return extension.isActive ? extension.exports : await extension.activate();
}

/**
 * The interpreter that is selected in the Python extension; without that extension the one of a virtual environment
 * `.venv` or `venv` in the folder. Undefined where there is neither.
 */
export async function selectedInterpreter(folder: vscode.Uri | undefined): Promise<string | undefined> {
  const python = await pythonExtension().then(undefined, () => undefined);
  if (python?.environments !== undefined) {
    const active = python.environments.getActiveEnvironmentPath(folder);
    const resolved = await python.environments.resolveEnvironment(active);
    return resolved?.executable.uri?.fsPath;
  }
  if (folder === undefined) {
    return undefined;
  }
  const inside = process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"];
  return [".venv", "venv"].map((name) => path.join(folder.fsPath, name, ...inside)).find((one) => fs.existsSync(one));
}

/** Tell when another interpreter is selected. */
export async function onInterpreterSelected(listener: () => void): Promise<vscode.Disposable | undefined> {
  const python = await pythonExtension().then(undefined, () => undefined);
  return python?.environments?.onDidChangeActiveEnvironmentPath(listener);
}

/** Whether the Python extension can be asked to let the user select an interpreter. */
export function canSelect(): boolean {
  return vscode.extensions.getExtension("ms-python.python") !== undefined;
}

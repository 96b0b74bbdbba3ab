// What the user has set, in the form in which the server asks for it.

import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";

export const SECTION = "torchlint";

/** The settings that are the server's; the others are the extension's own. */
const FOR_SERVER = [
  "select",
  "extendSelect",
  "ignore",
  "extendIgnore",
  "perFileIgnores",
  "extendExclude",
  "baseline",
  "configuration",
  "project",
  "logFunctions",
  "evalFunctions",
  "modelLoaders",
  "targetTorch",
] as const;

/** Settings after whose change another server may be the right one. */
export const FOR_START = ["path", "interpreter", "enable"].map((name) => `${SECTION}.${name}`);

/**
 * The server's settings for a folder, or for what lies in none.
 *
 * Only what somebody has set is handed over, so that a default of this file never stands above a `pyproject.toml`.
 */
export function serverSettings(scope: vscode.Uri | undefined): Record<string, unknown> {
  const all = vscode.workspace.getConfiguration(SECTION, scope ?? null);
  // Always there, so that an answer is never empty: the server takes an empty one for none.
  const given: Record<string, unknown> = { enable: all.get<boolean>("enable", true) };
  for (const name of FOR_SERVER) {
    const known = all.inspect(name);
    const set = [
      known?.workspaceFolderLanguageValue,
      known?.workspaceFolderValue,
      known?.workspaceLanguageValue,
      known?.workspaceValue,
      known?.globalLanguageValue,
      known?.globalValue,
    ].find((value) => value !== undefined && value !== null);
    if (set !== undefined) {
      given[name] = set;
    }
  }
  return given;
}

/** Whether torchlint is on anywhere in this window. */
export function isOnSomewhere(): boolean {
  const scopes = vscode.workspace.workspaceFolders?.map((folder) => folder.uri) ?? [null];
  return scopes.some((scope) => vscode.workspace.getConfiguration(SECTION, scope).get<boolean>("enable", true));
}

/** A path of the settings with its variables filled in; undefined where none is set. */
export function pathSetting(name: "path" | "interpreter"): string | undefined {
  const folder = vscode.workspace.workspaceFolders?.[0];
  const given = vscode.workspace.getConfiguration(SECTION, folder?.uri ?? null).get<string>(name, "").trim();
  if (!given) {
    return undefined;
  }
  const filled = given
    .replace(/\$\{workspaceFolder\}/g, () => folder?.uri.fsPath ?? "")
    .replace(/\$\{userHome\}/g, () => os.homedir())
    .replace(/\$\{env:([^}]+)\}/g, (_whole, variable: string) => process.env[variable] ?? "")
    .replace(/^~(?=$|[\\/])/, () => os.homedir());
  // A bare name is looked for on the PATH; what has a slash and is relative is meant from the folder.
  const isBare = !/[\\/]/.test(filled);
  return isBare || path.isAbsolute(filled) || folder === undefined ? filled : path.join(folder.uri.fsPath, filled);
}

// What to do where there is no server.

import { spawn } from "node:child_process";
import * as vscode from "vscode";
import { canSelect } from "./interpreter";
import type { Missing } from "./server";

/** What pip is asked for: pygls alone where torchlint is there, so that its version stays. */
const REQUIREMENT = { torchlint: "torchlint[lsp]", pygls: "pygls>=2,<3" } as const;

/** Tell the user, with buttons; gives whether it is worth to look for a server again. */
export async function tell(missing: Missing, output: vscode.LogOutputChannel): Promise<boolean> {
  output.error(missing.message);
  const install =
    missing.what !== "command" && missing.interpreter !== undefined
      ? { title: `Install ${missing.what}`, name: missing.what, into: missing.interpreter }
      : undefined;
  const select = canSelect() ? "Select Interpreter" : undefined;
  const buttons = [install?.title, select, "Open Settings"].filter((one) => one !== undefined);
  const chosen = await vscode.window.showErrorMessage(missing.message, ...buttons);
  if (chosen === undefined) {
    return false;
  }
  if (chosen === "Open Settings") {
    await vscode.commands.executeCommand("workbench.action.openSettings", "torchlint.");
    return false; // the change of a setting starts the server
  }
  if (chosen === select) {
    await vscode.commands.executeCommand("python.setInterpreter");
    return false; // so does another interpreter
  }
  return install !== undefined && (await installed(install.into, REQUIREMENT[install.name], output));
}

async function installed(
  interpreter: string,
  requirement: string,
  output: vscode.LogOutputChannel,
): Promise<boolean> {
  const title = `Installing ${requirement} for ${interpreter}`;
  const status = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title },
    () => pip(interpreter, ["install", requirement], output),
  );
  if (status === 0) {
    return true;
  }
  const chosen = await vscode.window.showErrorMessage(`pip could not install ${requirement}.`, "Show Output");
  if (chosen !== undefined) {
    output.show();
  }
  return false;
}

function pip(interpreter: string, args: readonly string[], output: vscode.LogOutputChannel): Promise<number | null> {
  return new Promise((resolve) => {
    const child = spawn(interpreter, ["-m", "pip", "--disable-pip-version-check", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
    });
    const write = (data: Buffer): void => output.info(data.toString().trimEnd());
    child.stdout.on("data", write);
    child.stderr.on("data", write);
    child.on("error", (error) => {
      output.error(error.message);
      resolve(null);
    });
    child.on("close", resolve);
  });
}

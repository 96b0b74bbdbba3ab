// Which command is the server, and why there is none.

import { execFile } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import { selectedInterpreter } from "./interpreter";
import { pathSetting } from "./settings";

/** A command that speaks the protocol. */
export interface Server {
  readonly command: string;
  readonly args: readonly string[];
  readonly version: string;
  /** Where the command comes from, for the user. */
  readonly origin: string;
}

/** Why there is no server. */
export interface Missing {
  readonly what: "torchlint" | "pygls" | "command";
  /** One sentence. */
  readonly message: string;
  /** The interpreter into which it can be installed, where one is known. */
  readonly interpreter?: string;
}

export type Found = { readonly server: Server } | { readonly missing: Missing };

/** Long enough for a cold disk; a command that waits for input forever is none of ours. */
const PATIENCE = 20_000;

/** Prints the version, and then what is missing. */
const PROBE = `
import importlib.util as util
if util.find_spec("torchlint") is None: raise SystemExit(3)
import torchlint
print(torchlint.__version__)
raise SystemExit(0 if util.find_spec("pygls") else 4)
`;

/**
 * The server: `torchlint.path`, `torchlint.interpreter`, the selected interpreter, the PATH, in this order.
 *
 * What a setting names counts even where it does not work, so that nobody runs another torchlint than they think. In a
 * folder that is not trusted its interpreter is not started.
 */
export async function findServer(neutral: string, log: (line: string) => void): Promise<Found> {
  const command = pathSetting("path");
  if (command !== undefined) {
    return await fromCommand(command, "torchlint.path", neutral);
  }
  const interpreter = pathSetting("interpreter");
  if (interpreter !== undefined) {
    return await fromInterpreter(interpreter, "torchlint.interpreter", neutral);
  }
  let first: Missing | undefined;
  if (vscode.workspace.isTrusted) {
    const selected = await selectedInterpreter(vscode.workspace.workspaceFolders?.[0]?.uri);
    if (selected !== undefined) {
      const found = await fromInterpreter(selected, "the selected interpreter", neutral);
      if ("server" in found) {
        return found;
      }
      first = found.missing;
      log(first.message);
    }
  }
  const onPath = which("torchlint");
  if (onPath !== undefined) {
    const found = await fromCommand(onPath, "the PATH", neutral);
    // Of two that do not work the interpreter's is told: there it can be mended by a button.
    return "server" in found || first === undefined ? found : { missing: first };
  }
  if (first !== undefined) {
    return { missing: first };
  }
  const python = which(process.platform === "win32" ? "python" : "python3") ?? which("python");
  const message = "torchlint is not on the PATH, and no Python interpreter is selected that has it.";
  return { missing: { what: "torchlint", message, ...(python !== undefined && { interpreter: python }) } };
}

async function fromInterpreter(interpreter: string, origin: string, neutral: string): Promise<Found> {
  const { status, output, trouble } = await run(interpreter, ["-c", PROBE], neutral);
  const version = output.trim().split("\n").at(-1) ?? "";
  switch (status) {
    case 0:
      return { server: { command: interpreter, args: ["-m", "torchlint", "server"], version, origin } };
    case 3:
      return {
        missing: { what: "torchlint", interpreter, message: `torchlint is not installed for ${interpreter} (${origin}).` },
      };
    case 4:
      return { missing: withoutPygls(version, interpreter, origin, interpreter) };
    default:
      return { missing: { what: "command", message: `${interpreter} (${origin}) does not run: ${trouble}` } };
  }
}

async function fromCommand(command: string, origin: string, neutral: string): Promise<Found> {
  const shown = await run(command, ["--version"], neutral);
  const version = /^torchlint (\S+)/.exec(shown.output)?.[1];
  if (shown.status !== 0 || version === undefined) {
    const trouble = shown.status === 0 ? "it is no torchlint" : shown.trouble;
    return { missing: { what: "command", message: `${command} (${origin}) does not run: ${trouble}` } };
  }
  // At the end of its input, which is at once, a server ends by itself; without pygls it says so before.
  const started = await run(command, ["server"], neutral);
  if (started.status === 2) {
    const missing = /pygls/.test(started.trouble)
      ? withoutPygls(version, command, origin, beside(command))
      : { what: "command" as const, message: `${command} (${origin}) is no server: ${started.trouble}` };
    return { missing };
  }
  return { server: { command, args: ["server"], version, origin } };
}

function withoutPygls(version: string, where: string, origin: string, interpreter: string | undefined): Missing {
  const message = `torchlint ${version} of ${where} (${origin}) is installed without its server: pygls is missing.`;
  return { what: "pygls", message, ...(interpreter !== undefined && { interpreter }) };
}

/** The interpreter of the environment that a command was installed into. */
function beside(command: string): string | undefined {
  try {
    const folder = path.dirname(fs.realpathSync(command));
    return ["python", "python3", "python.exe"].map((name) => path.join(folder, name)).find((one) => fs.existsSync(one));
  } catch {
    return undefined; // it was found by its bare name
  }
}

function which(name: string): string | undefined {
  const endings = process.platform === "win32" ? [".exe", ".cmd", ".bat"] : [""];
  for (const folder of (process.env["PATH"] ?? "").split(path.delimiter)) {
    for (const ending of endings) {
      const candidate = path.join(folder, name + ending);
      if (folder && isExecutable(candidate)) {
        return candidate;
      }
    }
  }
  return undefined;
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

interface Ended {
  /** The exit status; undefined where it did not start, or did not end. */
  readonly status: number | undefined;
  readonly output: string;
  /** Its last line of complaint, or why it did not start. */
  readonly trouble: string;
}

function run(command: string, args: readonly string[], cwd: string): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd, timeout: PATIENCE, windowsHide: true };
    const child = execFile(command, [...args], options, (error, output, complaint) => {
      const lines = complaint.trim().split("\n");
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : undefined;
      const trouble = lines.at(-1) || error?.message || "it ended without a word";
      resolve({ status, output, trouble });
    });
    child.stdin?.on("error", () => undefined); // it did not start, which the callback tells
    child.stdin?.end();
  });
}

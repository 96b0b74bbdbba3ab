// The extension: one server for the window, started anew where another one may be right.

import * as vscode from "vscode";
import { type LanguageClient, State } from "vscode-languageclient/node";
import { clientOf } from "./client";
import { fixAll } from "./fixing";
import { tell } from "./installing";
import { onInterpreterSelected } from "./interpreter";
import { findServer, type Found } from "./server";
import { FOR_START, isOnSomewhere } from "./settings";

class Torchlint implements vscode.Disposable {
  readonly output = vscode.window.createOutputChannel("torchlint", { log: true });
  private readonly status = vscode.languages.createLanguageStatusItem("torchlint.server", { language: "python" });
  private client: LanguageClient | undefined;
  private working: Promise<void> = Promise.resolve();

  /** Python runs in this folder, which holds none of the user's modules. */
  constructor(private readonly neutral: string) {
    this.status.name = "torchlint";
    this.status.command = { command: "torchlint.showOutput", title: "Show Output" };
  }

  /** Stop the server, and start the one that is right now. Calls come one after the other. */
  restart(): Promise<void> {
    this.working = this.working.then(async () => {
      await this.stop();
      const missing = await this.start();
      if (missing !== undefined) {
        // Not waited for: the message stays until somebody answers it.
        void tell(missing, this.output).then((again) => (again ? this.restart() : undefined));
      }
    });
    return this.working;
  }

  dispose(): void {
    this.status.dispose();
    this.output.dispose();
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client !== undefined && client.state !== State.Stopped) {
      // One that does not answer is killed by its library after two seconds.
      await client.stop().catch((error: unknown) => this.output.warn(String(error)));
    }
  }

  private async start(): Promise<Extract<Found, { missing: unknown }>["missing"] | undefined> {
    if (!isOnSomewhere()) {
      this.show("torchlint is off", vscode.LanguageStatusSeverity.Information);
      return undefined;
    }
    const found = await findServer(this.neutral, (line) => this.output.info(line));
    if ("missing" in found) {
      this.show("torchlint does not run", vscode.LanguageStatusSeverity.Error, found.missing.message);
      return found.missing;
    }
    const { command, args, version, origin } = found.server;
    this.output.info(`torchlint ${version} from ${origin}: ${[command, ...args].join(" ")}`);
    const client = clientOf(found.server, this.neutral, this.output);
    this.client = client;
    try {
      await client.start();
      this.show(`torchlint ${version}`, vscode.LanguageStatusSeverity.Information, `from ${origin}`);
    } catch (error) {
      const message = `The server of ${command} did not start: ${error instanceof Error ? error.message : String(error)}`;
      this.show("torchlint does not run", vscode.LanguageStatusSeverity.Error, message);
      return { what: "command", message };
    }
    return undefined;
  }

  private show(text: string, severity: vscode.LanguageStatusSeverity, detail = ""): void {
    this.status.text = text;
    this.status.detail = detail;
    this.status.severity = severity;
  }
}

let running: Torchlint | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const torchlint = new Torchlint(context.extensionPath);
  running = torchlint;
  context.subscriptions.push(
    torchlint,
    vscode.commands.registerCommand("torchlint.restart", () => torchlint.restart()),
    vscode.commands.registerCommand("torchlint.showOutput", () => torchlint.output.show()),
    vscode.commands.registerCommand("torchlint.fixAll", async () => {
      if ((await fixAll()) === 0) {
        vscode.window.setStatusBarMessage("torchlint: no safe fix to make", 3000);
      }
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (FOR_START.some((name) => event.affectsConfiguration(name))) {
        void torchlint.restart();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => torchlint.restart()),
  );
  const selecting = await onInterpreterSelected(() => void torchlint.restart());
  if (selecting !== undefined) {
    context.subscriptions.push(selecting);
  }
  await torchlint.restart();
}

export async function deactivate(): Promise<void> {
  await running?.stop();
}

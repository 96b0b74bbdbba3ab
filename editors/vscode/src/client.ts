// The connection to one server.

import * as vscode from "vscode";
import {
  LanguageClient,
  type LanguageClientOptions,
  ResponseError,
  type ServerOptions,
  TransportKind,
} from "vscode-languageclient/node";
import type { Server } from "./server";
import { SECTION, serverSettings } from "./settings";

/** A client of a server that is not started yet. */
export function clientOf(server: Server, neutral: string, output: vscode.LogOutputChannel): LanguageClient {
  // Not in the folder: Python would import modules of the user instead of its own where they have the same names.
  const options: ServerOptions = {
    command: server.command,
    args: [...server.args],
    transport: TransportKind.stdio,
    options: { cwd: neutral },
  };
  const client: LanguageClientOptions = {
    documentSelector: [
      { scheme: "file", language: "python" },
      { scheme: "untitled", language: "python" },
      { notebook: "jupyter-notebook", language: "python" },
    ],
    outputChannel: output,
    initializationOptions: serverSettings(undefined),
    middleware: {
      workspace: {
        configuration: (params) =>
          params.items.map((item) =>
            item.section === SECTION
              ? serverSettings(item.scopeUri === undefined ? undefined : vscode.Uri.parse(item.scopeUri))
              : null,
          ),
        // Only that something has changed: the server asks for it folder by folder.
        didChangeConfiguration: (_sections, next) => next(undefined),
      },
      window: {
        showDocument: async (params, next) => {
          if (params.uri.endsWith(".md")) {
            await vscode.commands.executeCommand("markdown.showPreviewToSide", vscode.Uri.parse(params.uri));
            return { success: true };
          }
          const shown = await next(params, new vscode.CancellationTokenSource().token);
          return shown instanceof ResponseError ? { success: false } : shown;
        },
      },
    },
  };
  return new LanguageClient(SECTION, "torchlint", options, client);
}

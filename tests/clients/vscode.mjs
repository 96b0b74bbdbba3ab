// VS Code as its user has it: Chromium shows the workbench of code-server with our extension installed.
//
// node vscode.mjs MODULES WORKSPACE USER-DATA EXTENSIONS BARE HALF SCREENSHOTS
// BARE is a Python without torchlint, HALF one whose torchlint lacks its server; the button mends that one.

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import path from "node:path";

const [modules, workspace, userData, extensions, bare, interpreter, screenshots] = process.argv.slice(2);
const require = createRequire(path.join(modules, "index.js"));
const { chromium } = require("playwright-core");
const file = path.join(workspace, "train.py");
const PATIENCE = 60_000;

function tell(ok, claim, text = "") {
  console.log(`${ok ? "ok" : "not ok"}\t${claim}\t${text.replace(/\s+/g, " ").trim().slice(0, 300)}`);
}

/** Until it is true; the milliseconds that took, or undefined. */
async function until(wanted, patience = PATIENCE) {
  const begun = Date.now();
  while (Date.now() - begun < patience) {
    if (await wanted()) {
      return Date.now() - begun;
    }
    await new Promise((go) => setTimeout(go, 50));
  }
  return undefined;
}

const QUIET = {
  "security.workspace.trust.enabled": false,
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
  "workbench.colorTheme": "Default Light Modern",
  "editor.minimap.enabled": false,
  "telemetry.telemetryLevel": "off",
  "extensions.autoCheckUpdates": false,
};

/** Write the settings of the user once, and those of the folder, whose changes VS Code sees. */
function set(settings) {
  for (const [folder, values] of [[path.join(userData, "User"), QUIET], [path.join(workspace, ".vscode"), settings]]) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "settings.json"), JSON.stringify(values));
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function main() {
  set({ "torchlint.interpreter": bare });
  const port = await freePort();
  const program = path.join(modules, "node_modules", "code-server");
  const server = spawn(
    process.execPath,
    // prettier-ignore
    [program, "--auth", "none", "--bind-addr", `127.0.0.1:${port}`, "--user-data-dir", userData,
     "--extensions-dir", extensions, "--config", path.join(userData, "config.yaml"),
     "--disable-telemetry", "--disable-update-check", workspace],
    { stdio: "ignore", env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" } },
  );
  let browser;
  try {
    await until(async () => (await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined))?.ok);
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
    const page = await browser.newPage({ viewport: { width: 1200, height: 760 } });
    page.setDefaultTimeout(PATIENCE);
    await page.goto(`http://127.0.0.1:${port}/?folder=${encodeURIComponent(workspace)}`);
    await page.locator(".monaco-workbench").waitFor();
    try {
      await look(page);
    } catch (error) {
      await page.screenshot({ path: path.join(userData, "failure.png") });
      throw error;
    }
  } finally {
    await browser?.close();
    server.kill();
  }
}

async function command(page, title) {
  await page.keyboard.press("F1");
  await page.locator(".quick-input-widget input").first().fill(`>${title}`);
  await page.locator(".quick-input-list .monaco-list-row", { hasText: title }).first().waitFor();
  await page.keyboard.press("Enter");
}

async function open(page, name) {
  await page.keyboard.press("Control+P");
  await page.locator(".quick-input-widget input").first().fill(name);
  await page.locator(".quick-input-list .monaco-list-row", { hasText: name }).first().waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".tab.active", { hasText: name }).waitFor();
}

async function goto(page, line, column) {
  await page.keyboard.press("Control+G");
  await page.locator(".quick-input-widget input").first().fill(`:${line}:${column}`);
  await page.keyboard.press("Enter");
}

const textOf = async (locator) => (await locator.allInnerTexts()).join(" ").replaceAll("\u00a0", " ");
const onDisk = () => readFileSync(file, "utf-8");
const lineWith = (part) => onDisk().split("\n").find((line) => line.includes(part)) ?? "";

async function look(page) {
  await open(page, "train.py");
  const notice = page.locator(".notification-list-item");
  await notice.filter({ hasText: "torchlint is not installed" }).first().waitFor();
  const text = await textOf(notice);
  tell(text.includes("Install torchlint"), "without torchlint: a message with a button", text);

  set({ "torchlint.interpreter": interpreter });
  const half = notice.filter({ hasText: "pygls is missing" });
  await half.first().waitFor();
  tell(true, "without the server: a message with a button", await textOf(half));
  await half.getByText("Install pygls").first().click();
  const squiggles = page.locator(".editor-container .squiggly-warning, .editor-container .squiggly-info");
  const spent = await until(async () => (await squiggles.count()) >= 3);
  tell(spent !== undefined, `squiggles ${spent} ms after the button is pressed, which installs it`,
    `${await squiggles.count()} of them`);
  await page.keyboard.press("Escape");
  await command(page, "View: Toggle Primary Side Bar Visibility");
  await command(page, "Notifications: Clear All Notifications");

  await command(page, "Problems: Focus on Problems View");
  const problems = page.locator(".markers-panel .monaco-list-row");
  await until(async () => (await problems.count()) >= 4);
  const listed = await textOf(problems);
  tell(["TL101", "TL201", "TL401"].every((code) => listed.includes(code)), "the Problems panel", listed);

  const read = page.locator(".view-line", { hasText: "loss.item()" }).locator("span span", { hasText: "item" }).last();
  await read.hover();
  const hover = page.locator(".monaco-hover:visible");
  await until(async () => (await textOf(hover)).includes("item-without-detach"));
  const shown = await textOf(hover);
  tell(shown.includes("reads a tensor") && shown.includes("item-without-detach"), "under the mouse: finding and page", shown);
  await new Promise((go) => setTimeout(go, 700)); // it fades in
  await page.screenshot({ path: path.join(screenshots, "vscode.png") });
  await page.mouse.move(600, 5);

  await page.locator(".editor-container .view-lines").click({ position: { x: 300, y: 5 } });
  await goto(page, 14, 25);
  await page.keyboard.press("Control+.");
  const menu = page.locator(".action-widget .monaco-list-row");
  await menu.filter({ hasText: "Put .detach()" }).first().waitFor();
  tell(true, "quick fix: the menu", await textOf(menu));
  await page.keyboard.press("Enter"); // the preferred one is at the top
  await page.locator(".view-line", { hasText: "loss.detach().item()" }).waitFor();
  await page.keyboard.press("Control+S");
  await until(() => onDisk().includes("loss.detach().item()"));
  tell(onDisk().includes("loss.detach().item()"), "quick fix: the line on the disk", lineWith(".item()"));
  const gone = await until(async () => !(await textOf(problems)).includes("TL201"));
  tell(gone !== undefined, "quick fix: gone from the Problems panel", await textOf(problems));

  await command(page, "torchlint: Make All Safe Fixes");
  await page.locator(".view-line", { hasText: "inference_mode" }).waitFor();
  await page.keyboard.press("Control+S");
  await until(() => onDisk().includes("inference_mode"));
  tell(onDisk().includes("torch.inference_mode()"), "the command that makes all safe fixes", lineWith("torch.inf"));

  set({ "torchlint.interpreter": interpreter, "torchlint.ignore": ["TL101"] });
  const silent = await until(async () => !(await textOf(problems)).includes("TL101"));
  tell(silent !== undefined, "a setting takes effect: TL101 is ignored", await textOf(problems));
  set({ "torchlint.interpreter": interpreter });
  const back = await until(async () => (await textOf(problems)).includes("TL101"));
  tell(back !== undefined, "and taken back: it is there again", await textOf(problems));

  await open(page, "train.ipynb");
  const inCell = page.locator(".notebookOverlay .cell .squiggly-warning, .notebookOverlay .cell .squiggly-info");
  const cell = await until(async () => (await inCell.count()) > 0);
  const ofNotebook = await textOf(problems);
  tell(cell !== undefined, `notebook: a squiggle in a cell after ${cell} ms`, ofNotebook);
  await page.locator(".notebookOverlay .cell .view-line", { hasText: "loss.item()" }).click();
  await page.screenshot({ path: path.join(screenshots, "vscode-notebook.png") });
  await command(page, "torchlint: Make All Safe Fixes");
  const fixed = page.locator(".notebookOverlay .cell .view-line", { hasText: "loss.detach().item()" });
  await fixed.first().waitFor();
  tell(true, "notebook: the safe fix in its cell", await textOf(fixed));

  await page.locator(".tab", { hasText: "train.py" }).click();
  await page.locator(".editor-container .view-line", { hasText: "argmax" }).click();
  await goto(page, 19, 17);
  await page.keyboard.press("Control+.");
  await menu.filter({ hasText: "Open the page of TL101" }).first().waitFor();
  const titles = await menu.allInnerTexts();
  const above = titles.findIndex((title) => title.includes("Open the page")) - titles.findIndex((title) => title.includes("TL101"));
  for (let number = 0; number < above; number++) {
    await page.keyboard.press("ArrowDown");
  }
  await page.keyboard.press("Enter");
  const preview = page.locator(".tab", { hasText: "TL101.md" });
  await preview.waitFor();
  tell(true, "the page of the rule in a tab", await textOf(preview));

  await command(page, "torchlint: Show Output");
  const output = page.locator(".output-view-content .view-line, .output-view .view-line");
  await until(async () => (await textOf(output)).includes("-m torchlint server"));
  const lines = await textOf(output);
  tell(lines.includes("-m torchlint server"), "the output says which server runs", lines);
}

try {
  await main();
} catch (error) {
  tell(false, "the script came to its end", String(error));
  process.exitCode = 1;
}

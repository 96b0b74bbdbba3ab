"""What real readers make of the reports: installs them into a folder, shows each what torchlint writes.

    python benchmarks/format_consumers.py FOLDER

Prints for each reader its version, what it read and whether that is right; exit 1 where something is not.
Needs npm, node and git, and the registries of npm and PyPI; an existing FOLDER is used again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from golden_reports import lay, results  # noqa: E402

from torchlint.reports import FORMATS, Palette, render  # noqa: E402

NPM = ("@microsoft/sarif-multitool", "@actions/core", "azure-pipelines-task-lib")
PIP = ("lintrunner", "sarif-tools", "junitparser", "jsonschema")

ACTIONS = """
import { issueCommand } from './node_modules/@actions/core/lib/command.js';
import { readFileSync } from 'fs';
for (const line of readFileSync(0, 'utf8').split('\\n').filter(Boolean)) {
  const { level, properties, message } = JSON.parse(line);
  issueCommand(level, properties, message);
}
"""
AZURE = """
const { commandFromString } = require('./node_modules/azure-pipelines-task-lib/taskcommand.js');
for (const line of require('fs').readFileSync(0, 'utf8').split('\\n').filter(Boolean)) {
  const told = commandFromString(line);
  const { properties, message } = told;
  console.log(JSON.stringify({ properties, message, again: told.toString() === line }));
}
"""
TRAINING = """\
import torch

net = torch.nn.Linear(2, 2)


def step(größe, y):
    loss = (net(größe) - y).square().mean()
    loss.backward()
    print("größe", loss.item())
    return loss.item()
"""
LINTRUNNER = """\
merge_base_with = "main"

[[linter]]
code = "TORCHLINT"
include_patterns = ["**/*.py"]
command = [
    {python}, "-m", "torchlint", "check",
    "--output-format=lintrunner", "--exit-zero", "@{{{{PATHSFILE}}}}",
]
"""


def run(*command: str | Path, cwd: Path, stdin: str = "", wanted: tuple[int, ...] = (0,)) -> str:
    """What a command prints. Raises RuntimeError where it ends with another status than those wanted."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, text=True, env=environment)
    if done.returncode not in wanted:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


class Readers:
    """The readers in their folder, and the reports that they are shown."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "venv" / "bin"
        self.here = folder / "findings"
        self.reports = folder / "reports"

    def install(self) -> None:
        """Get the readers, and write every report."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "node_modules").is_dir():
            run("npm", "init", "-y", cwd=self.folder)
            run("npm", "install", "--silent", *NPM, cwd=self.folder)
        if not self.bin.is_dir():
            run(sys.executable, "-m", "venv", "venv", cwd=self.folder)
            run(self.bin / "pip", "install", "-q", *PIP, cwd=self.folder)
        for path in (self.here, self.reports):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
        lay(self.here)
        os.chdir(self.here)
        self.found = [one for result in results(self.here) for one in result.diagnostics]
        for form in FORMATS:
            text = "".join(render(form, results(self.here), palette=Palette(colour=False), status=1))
            self.path(form).write_text(text, encoding="utf-8")

    def path(self, form: str) -> Path:
        """The report in a format, with an ending that its reader knows."""
        return self.reports / (form + {"sarif": ".sarif", "junit": ".xml"}.get(form, ".json"))

    def npm(self, package: str) -> str:
        """The version of an npm package."""
        manifest = self.folder / "node_modules" / package / "package.json"
        return str(json.loads(manifest.read_text(encoding="utf-8"))["version"])

    def pip(self, package: str) -> str:
        """The version of a Python package."""
        return run(self.bin / "pip", "show", package, cwd=self.folder).split("Version: ")[1].split()[0]

    def multitool(self) -> tuple[str, str, bool]:
        """It exits with 0 whatever it finds, so its own report is read."""
        package = self.folder / "node_modules" / "@microsoft" / "sarif-multitool-linux"
        tool = package / "Sarif.Multitool"
        tool.chmod(0o755)
        out = self.folder / "validated.sarif"
        options = ("--rule-kind", "Sarif;Gh", "-o", out, "--log", "ForceOverwrite")
        run(tool, "validate", self.path("sarif"), *options, cwd=self.folder, wanted=(0, 1))
        told = json.loads(out.read_text(encoding="utf-8-sig"))["runs"][0]["results"]
        levels = Counter(one.get("level", "warning") for one in told)
        rules = ", ".join(sorted({one["ruleId"] for one in told})) or "none"
        return (
            self.npm("@microsoft/sarif-multitool"),
            f"{levels['error']} errors, {levels['warning']} warnings, {levels['note']} notes ({rules})",
            not levels["error"],
        )

    def schema(self) -> tuple[str, str, bool]:
        """The JSON schema that the multitool ships; one planted error shows that it holds something."""
        program = (
            "import json, sys, jsonschema\n"
            "schema, log = (json.load(open(name, encoding='utf-8-sig')) for name in sys.argv[1:])\n"
            "errors = jsonschema.Draft202012Validator(schema)\n"
            "right = len(list(errors.iter_errors(log)))\n"
            "log['runs'][0]['results'][0]['level'] = 'grave'\n"
            "print(right, len(list(errors.iter_errors(log))))\n"
        )
        package = self.folder / "node_modules" / "@microsoft" / "sarif-multitool-linux"
        schema = package / "sarif-2.1.0.json"
        counts = run(self.bin / "python", "-c", program, schema, self.path("sarif"), cwd=self.folder).split()
        return (
            self.pip("jsonschema"),
            f"{counts[0]} errors, {counts[1]} with one planted",
            counts == ["0", "1"],
        )

    def sarif_tools(self) -> tuple[str, str, bool]:
        """Its rows by line, and its own conversion to GitLab's format beside ours."""
        out = self.folder / "codeclimate.json"
        run(self.bin / "sarif", "codeclimate", "-o", out, self.path("sarif"), cwd=self.folder)
        theirs = json.loads(out.read_text(encoding="utf-8"))
        ours = json.loads(self.path("gitlab").read_text(encoding="utf-8"))

        def places(issues: list[dict[str, object]]) -> Counter[tuple[str, int]]:
            rows: Counter[tuple[str, int]] = Counter()
            for issue in issues:
                location = json.loads(json.dumps(issue["location"]))
                lines = location.get("lines") or location["positions"]
                begin = lines["begin"] if isinstance(lines["begin"], int) else lines["begin"]["line"]
                rows[unquote(location["path"]).rpartition("/")[2], begin] += 1
            return rows

        both = places(ours) & places(theirs)
        unique = len({issue["fingerprint"] for issue in ours})
        told = f"{len(ours)} issues, {both.total()} where it puts them from SARIF, {unique} fingerprints"
        return self.pip("sarif-tools"), told, unique == both.total() == len(ours)

    def junit(self) -> tuple[str, str, bool]:
        """Tests and failures as junitparser counts them."""
        program = (
            "import sys, junitparser\n"
            "xml = junitparser.JUnitXml.fromstring(open(sys.argv[1], 'rb').read())\n"
            "cases = [case for suite in xml for case in suite]\n"
            "print(xml.tests, xml.failures, len(cases), sum(bool(case.result) for case in cases))\n"
        )
        counts = run(self.bin / "python", "-c", program, self.path("junit"), cwd=self.folder).split()
        told = f"{counts[0]} tests, {counts[1]} failures, {counts[2]} cases, {counts[3]} with a failure"
        return self.pip("junitparser"), told, set(counts) == {str(len(self.found))}

    def actions(self) -> tuple[str, str, bool]:
        """What our lines say, written again by GitHub's own toolkit: equal, so it escapes as we do."""
        (self.folder / "actions.mjs").write_text(ACTIONS, encoding="utf-8")
        lines = self.path("github").read_text(encoding="utf-8").splitlines()
        said = []
        for line in lines:
            _, head, message = line.split("::", 2)
            level, _, words = head.partition(" ")
            properties = {
                name: value.replace("%3A", ":").replace("%2C", ",").replace("%25", "%")
                for name, value in (word.split("=", 1) for word in words.split(","))
            }
            plain = message.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
            said.append(json.dumps({"level": level, "properties": properties, "message": plain}))
        again = run("node", "actions.mjs", cwd=self.folder, stdin="\n".join(said)).splitlines()
        equal = sum(one == other for one, other in zip(lines, again, strict=True))
        return self.npm("@actions/core"), f"{len(lines)} commands, {equal} written alike", equal == len(lines)

    def azure(self) -> tuple[str, str, bool]:
        """Parsed, and written again, by the library of Azure's own tasks."""
        (self.folder / "azure.cjs").write_text(AZURE, encoding="utf-8")
        lines = self.path("azure").read_text(encoding="utf-8")
        told = [
            json.loads(line) for line in run("node", "azure.cjs", cwd=self.folder, stdin=lines).splitlines()
        ]
        right = sum(
            one["properties"]["sourcepath"] == str(self.here / found.filename)
            and one["message"].endswith(found.message)
            and one["again"]
            for one, found in zip(told, self.found, strict=True)
        )
        return (
            self.npm("azure-pipelines-task-lib"),
            f"{len(told)} issues, {right} right",
            right == len(self.found),
        )

    def lintrunner(self) -> tuple[str, str, bool]:
        """It runs torchlint as docs/formats.md says, shows the findings and makes the fixes."""
        project = self.folder / "project"
        shutil.rmtree(project, ignore_errors=True)
        (project / "deep").mkdir(parents=True)
        for name in ("train.py", "deep/train.py"):
            (project / name).write_text(TRAINING, encoding="utf-8")
        config = LINTRUNNER.format(python=json.dumps(sys.executable))
        (project / ".lintrunner.toml").write_text(config, encoding="utf-8")
        identity = ("-c", "user.name=n", "-c", "user.email=e")
        run("git", "init", "-q", "-b", "main", cwd=project)
        run("git", "add", "-A", cwd=project)
        run("git", *identity, "commit", "-qm", "m", cwd=project)
        tool = (self.bin / "lintrunner", "--data-path", self.folder / "data", "--all-files")
        shown = run(*tool, "--output", "oneline", cwd=project, wanted=(0, 1))
        found = len(re.findall(r"TL201", shown))
        run(*tool, "-a", cwd=project, wanted=(0, 1))
        wanted = TRAINING.replace("loss.item()", "loss.detach().item()")
        fixed = sum((project / name).read_text("utf-8") == wanted for name in ("train.py", "deep/train.py"))
        after = run(*tool, cwd=project)
        told = f"{found} findings in 2 files, {fixed} fixed by -a, then: {' '.join(after.split()[-3:])}"
        return self.pip("lintrunner"), told, (found, fixed) == (4, 2)


def main() -> int:
    """The exit status."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    readers = Readers(Path(sys.argv[1]).resolve())
    readers.install()
    failed = 0
    asked: dict[str, Callable[[], tuple[str, str, bool]]] = {
        "sarif: @microsoft/sarif-multitool": readers.multitool,
        "sarif: jsonschema": readers.schema,
        "sarif, gitlab: sarif-tools": readers.sarif_tools,
        "junit: junitparser": readers.junit,
        "github: @actions/core": readers.actions,
        "azure: azure-pipelines-task-lib": readers.azure,
        "lintrunner: lintrunner": readers.lintrunner,
    }
    print(f"{len(readers.found)} findings in {len(FORMATS)} formats")
    for name, ask in asked.items():
        try:
            version, told, right = ask()
        except RuntimeError as error:
            version, told, right = "?", str(error), False
        failed += not right
        print(f"{'ok' if right else 'NOT OK':6}  {name} {version}: {told}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

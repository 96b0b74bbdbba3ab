"""The scripts that complete words in shells, by a real bash; the others are held against the same parser."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command import write

from torchlint.cli import main
from torchlint.rules import SELECTABLE

CASES = {
    "torchlint ": "baseline check config generate-shell-completion prove rule server",
    "torchlint ch": "check",
    "torchlint --": "--help --version",
    "torchlint check --sh": "--show-fixes --show-settings --show-files",
    "torchlint check --select TL10": "TL101 TL102 TL103",
    "torchlint check --select=TL10": "TL101 TL102 TL103",
    "torchlint check --ignore TL201,graph-k": "TL201,graph-kept",
    "torchlint check --color ": "auto always never",
    "torchlint check --color=n": "never",
    "torchlint check -o tr": "train.py",
    "torchlint check tr": "train.py",
    "torchlint check my": "my file.py",
    "torchlint rule missing": "missing-eval",
    "torchlint config per": "per-file-ignores",
    "torchlint generate-shell-completion f": "fish",
}


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["generate-shell-completion", shell]) == 0
    return capsys.readouterr().out


def test_bash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, train="")
    (tmp_path / "my file.py").write_text("")
    lines = [script("bash", capsys), "complete -p torchlint", "compopt() { :; }"]
    for typed in CASES:
        words = typed.replace("=", " = ").split(" ")
        quoted = " ".join(f"'{word}'" for word in words)
        lines += [f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _torchlint"]
        lines += ['echo "${#COMPREPLY[@]}"; (( ${#COMPREPLY[@]} )) && printf "%s\\n" "${COMPREPLY[@]}"']
    done = subprocess.run(
        ["bash", "--norc", "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr == ""
    told = iter(done.stdout.splitlines())
    assert next(told) == "complete -F _torchlint torchlint"
    for typed, wanted in CASES.items():
        found = [next(told) for _ in range(int(next(told)))]
        assert sorted(found) == (sorted(wanted.split()) if "my file" not in wanted else [wanted]), typed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_every_word_is_known(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    for word in ("exit-non-zero-on-fix", "generate-shell-completion", "sarif", "per-file-ignores"):
        assert word in text
    assert not [rule.code for rule in SELECTABLE if rule.code not in text or rule.name not in text]
    assert "stdio" not in text, "what the help does not tell"


def test_an_unknown_shell(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["generate-shell-completion", "tcsh"])
    assert end.value.code == 2
    assert "invalid choice: 'tcsh'" in capsys.readouterr().err

"""`torchlint generate-shell-completion`: what a shell may offer, made from the parser of the command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

SHELLS = ("bash", "zsh", "fish", "powershell")

_CODES = frozenset({"CODE", "CODES"})
_FILES = frozenset({"FILE", "PATH", "FILE | KEY=VALUE"})


@dataclass(frozen=True, slots=True)
class Choice:
    """An option, or an argument without a name: what may stand for its value.

    `names` is empty for an argument. `values` are all that can be, `files` says that it is a path; with
    neither nobody knows. `listed` values may stand several together, parted by commas. `valued` says that the
    next word belongs to it.
    """

    names: tuple[str, ...]
    help: str
    values: tuple[str, ...] = ()
    files: bool = False
    listed: bool = False
    valued: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand; of the command itself `name` is empty."""

    name: str
    help: str
    choices: tuple[Choice, ...]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Tell the parser of it."""
    completion = commands.add_parser(
        "generate-shell-completion",
        help="print a script that completes torchlint's words",
        allow_abbrev=False,
    )
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    completion.set_defaults(run=_run, commands=commands)


def _run(options: argparse.Namespace) -> int:
    writers: dict[str, Callable[[Sequence[Command]], Iterator[str]]] = {
        "bash": _bash,
        "zsh": _zsh,
        "fish": _fish,
        "powershell": _powershell,
    }
    print("\n".join(writers[options.shell](list(_commands(options.commands)))))
    return 0


def _commands(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> Iterator[Command]:
    helps = {action.dest: action.help or "" for action in parsers._get_subactions()}
    names = tuple(parsers.choices)
    outer = (
        Choice(("-h", "--help"), "show this help message and exit"),
        Choice(("--version",), "show the version and exit"),
        Choice((), "", values=names),
    )
    yield Command("", "", outer)
    for name, parser in parsers.choices.items():
        actions = [action for action in parser._actions if action.help != argparse.SUPPRESS]
        yield Command(name, helps[name], tuple(_choice(action) for action in actions))


def _choice(action: argparse.Action) -> Choice:
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    values: tuple[str, ...] = tuple(map(str, action.choices or ()))
    if metavar in _CODES or metavar.startswith("CODE "):
        values = _codes(prefixes=metavar == "CODES")
    elif metavar == "KEY":
        from torchlint.options import OPTIONS

        values = tuple(OPTIONS)
    return Choice(
        tuple(action.option_strings),
        (action.help or "").replace("%%", "%"),
        values,
        files=metavar in _FILES or metavar.startswith("CODE "),
        listed=metavar == "CODES",
        valued=action.nargs is None and not isinstance(action, argparse.BooleanOptionalAction),
    )


def _codes(*, prefixes: bool) -> tuple[str, ...]:
    from torchlint.rules import SELECTABLE

    found = [word for rule in SELECTABLE for word in (rule.code, rule.name)]
    if prefixes:
        found += ["ALL", *sorted({rule.code[:3] for rule in SELECTABLE})]
    return tuple(found)


def _named(command: Command) -> list[Choice]:
    return [choice for choice in command.choices if choice.names]


def _first(command: Command) -> Choice | None:
    """What may stand where no option does."""
    return next((choice for choice in command.choices if not choice.names), None)


def _bash(commands: Sequence[Command]) -> Iterator[str]:
    yield from (
        "# bash completion for torchlint; source it, or put it into",
        "# ~/.local/share/bash-completion/completions/torchlint",
        "_torchlint() {",
        '    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"',
        '    local command="" words="" values="" files="" listed="" part="" start=""',
        "    # bash takes '=' for a word of its own.",
        '    if [[ $word == "=" ]]; then word=""',
        '    elif [[ $before == "=" ]]; then before="${COMP_WORDS[COMP_CWORD-2]}"; fi',
        "    (( COMP_CWORD > 1 )) && command=${COMP_WORDS[1]}",
        '    case "$command" in',
    )
    for command in commands:
        first = _first(command)
        options = " ".join(name for choice in _named(command) for name in choice.names)
        yield f"        {command.name or chr(39) * 2})"
        yield f'            words="{options}"'
        if first is not None:
            yield f'            values="{" ".join(first.values)}" files={"1" if first.files else chr(39) * 2}'
        yield '            case "$before" in'
        for choice in _named(command):
            if choice.valued:
                flags = f'values="{" ".join(choice.values)}" files={"1" if choice.files else chr(39) * 2}'
                listed = " listed=1" if choice.listed else ""
                yield f'                {"|".join(choice.names)}) words="" {flags}{listed} ;;'
        yield from ("            esac ;;",)
    yield from (
        "    esac",
        '    part="$word"',
        '    [[ -n $listed && $word == *,* ]] && start="${word%,*}," part="${word##*,}"',
        "    COMPREPLY=()",
        '    [[ $part == -* || -z $values$files ]] && COMPREPLY+=($(compgen -W "$words" -- "$part"))',
        '    [[ -n $values ]] && COMPREPLY+=($(compgen -P "$start" -W "$values" -- "$part"))',
        "    if [[ -n $files ]]; then",
        "        compopt -o filenames 2>/dev/null",
        "        local IFS=$'\\n'; COMPREPLY+=($(compgen -f -- \"$part\"))",
        "    fi",
        "}",
        "complete -F _torchlint torchlint",
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh(commands: Sequence[Command]) -> Iterator[str]:
    yield from ("#compdef torchlint", "", "_torchlint() {", "    local context state state_descr line")
    yield from ("    typeset -A opt_args", "    local -a commands=(")
    for command in commands[1:]:
        yield f"        {_quoted(command.name + ':' + command.help)}"
    yield from ("    )", "    if (( CURRENT == 2 )); then")
    yield "        _arguments '(- *)'{-h,--help}'[show this help message and exit]' \\"
    yield "            '(- *)--version[show the version and exit]' '*: :->command'"
    yield "        [[ $state == command ]] && _describe command commands"
    yield from (
        "        return",
        "    fi",
        '    local command="$words[2]"',
        "    shift words",
        "    (( CURRENT-- ))",
    )
    yield '    case "$command" in'
    for command in commands[1:]:
        specs = [_zsh_spec(name, choice) for choice in command.choices for name in choice.names or ("",)]
        yield f"        {command.name})"
        yield "            _arguments " + " \\\n                ".join(map(_quoted, specs)) + " ;;"
    yield from ("    esac", "}", "", 'if [ "$funcstack[1]" = "_torchlint" ]; then', '    _torchlint "$@"')
    yield from ("else", "    compdef _torchlint torchlint", "fi")


def _zsh_spec(name: str, choice: Choice) -> str:
    said = choice.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    words = " ".join(choice.values)
    if choice.values and choice.files:
        action = f'{{_alternative "values:value:({words})" "files:file:_files"}}'
    elif choice.listed:
        action = f"_sequence compadd - {words}"
    elif choice.values:
        action = f"({words})"
    else:
        action = "_files" if choice.files else ""
    if not name:
        return f"*:value:{action}"
    return f"*{name}[{said}]" + (f":value:{action}" if choice.valued else "")


def _fish(commands: Sequence[Command]) -> Iterator[str]:
    yield "# fish completion for torchlint; ~/.config/fish/completions/torchlint.fish"
    yield "complete -c torchlint -f"
    codes = " ".join(_codes(prefixes=True))
    yield from ("function __torchlint_codes", f"    string split ' ' '{codes}'", "end")
    alone = "-n __fish_use_subcommand"
    yield f"complete -c torchlint {alone} -s h -l help -d 'show this help message and exit'"
    yield f"complete -c torchlint {alone} -l version -d 'show the version and exit'"
    for command in commands[1:]:
        yield f"complete -c torchlint {alone} -a {command.name} -d {_fish_quoted(command.help)}"
    for command in commands[1:]:
        inside = f"complete -c torchlint -n '__fish_seen_subcommand_from {command.name}'"
        for choice in command.choices:
            names = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in choice.names]
            parts = [
                inside,
                *names,
            ]
            if choice.files:
                parts += ["-r", "-F"] if names else ["-F"]
            elif choice.valued and names:
                parts.append("-x")
            if choice.listed:
                parts.append("-a '(__fish_complete_list , __torchlint_codes)'")
            elif choice.values:
                parts.append(f"-a {_fish_quoted(' '.join(choice.values))}")
            if names:
                parts.append(f"-d {_fish_quoted(choice.help)}")
            yield " ".join(parts)


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _powershell(commands: Sequence[Command]) -> Iterator[str]:
    def quoted(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    yield "# PowerShell completion for torchlint; add it to $PROFILE"
    yield "Register-ArgumentCompleter -Native -CommandName torchlint -ScriptBlock {"
    yield "    param($word, $ast, $position)"
    yield "    $given = @($ast.CommandElements | Where-Object { $_.Extent.EndOffset -lt $position } |"
    yield "        ForEach-Object { $_.ToString() })"
    yield "    $command = if ($given.Count -gt 1) { $given[1] } else { '' }"
    yield "    $before = if ($given.Count -gt 1) { $given[-1] } else { '' }"
    yield "    $found = switch ($command) {"
    for command in commands:
        yield f"        {quoted(command.name)} {{"
        yield "            switch -CaseSensitive ($before) {"
        for choice in _named(command):
            if choice.valued:
                words = ", ".join(map(quoted, choice.values))
                for name in choice.names:
                    yield f"                {quoted(name)} {{ @({words}) }}"
        first = _first(command)
        words = ", ".join(
            quoted(word)
            for word in (
                *(first.values if first is not None else ()),
                *(name for choice in _named(command) for name in choice.names),
            )
        )
        yield f"                default {{ @({words}) }}"
        yield from ("            }", "        }")
    yield "    }"
    yield "    $start = $word.Substring(0, $word.LastIndexOf(',') + 1)"
    yield "    $part = $word.Substring($start.Length)"
    yield '    $found | Where-Object { $_ -like "$part*" } | ForEach-Object {'
    yield "        [System.Management.Automation.CompletionResult]::new("
    yield "            \"$start$_\", $_, 'ParameterValue', $_)"
    yield "    }"
    yield "}"

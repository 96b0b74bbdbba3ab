"""`torchlint config`: the options that configuration files may hold, and what holds where."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchlint.commands import known

if TYPE_CHECKING:
    from torchlint.options import Option
    from torchlint.settings import Settings


_WITHOUT = {"select": "the rules that are on by default", "fixable": "every rule"}
"""What holds where nobody gives an option and it has no value."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Tell the parser of it."""
    config = commands.add_parser(
        "config", help="list the options of configuration files, or tell of one", allow_abbrev=False
    )
    config.add_argument("key", nargs="?", metavar="KEY", help="an option such as per-file-ignores")
    config.add_argument("--output-format", choices=("text", "json", "markdown"), default="text")
    config.add_argument("--schema", action="store_true", help="print the JSON schema, for editors")
    config.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    import json

    from torchlint.options import OPTIONS

    if options.schema:
        from torchlint.schema import schema

        print(json.dumps(schema(), indent=2))
        return 0
    keys = [known(options.key, {name: name for name in OPTIONS}, "option")] if options.key else list(OPTIONS)
    if options.output_format == "json":
        told = [described(OPTIONS[key]) for key in keys]
        print(json.dumps(told[0] if options.key else told, indent=2))
    elif options.output_format == "markdown":
        print("\n".join(line for key in keys for line in (*chapter(OPTIONS[key]), "")).rstrip())
    elif options.key:
        print("\n".join(page(OPTIONS[keys[0]])))
    else:
        print("\n".join(keys))
    return 0


def described(option: Option) -> dict[str, object]:
    """An option as JSON has it."""
    return {
        "name": option.name,
        "type": option.kind.value,
        "default": option.default,
        "doc": option.doc,
        "example": option.example,
        "since": option.since,
        "scope": "run" if option.whole_run else "file",
    }


def page(option: Option) -> Iterator[str]:
    """An option in lines for people."""
    yield option.doc
    yield ""
    yield f"Type: {option.kind.value}"
    yield f"Default: {default(option)}"
    yield f"Since: {option.since}"
    if option.whole_run:
        yield "Decided for the whole run, by the configuration around the working folder."
    yield ""
    yield "[tool.torchlint]"
    yield option.example


def chapter(option: Option) -> Iterator[str]:
    """An option as Markdown, as the documentation has it."""
    yield f"### {option.name}"
    yield ""
    yield option.doc
    yield ""
    scope = ", decided for the whole run" if option.whole_run else ""
    yield f"Type: {option.kind.value}{scope}. Default: {_quoted(default(option))}. Since {option.since}."
    yield ""
    yield from ("```toml", "[tool.torchlint]", option.example, "```")


def default(option: Option) -> str:
    """What holds where nobody gives it, in a word or as TOML."""
    if option.name in _WITHOUT:
        return _WITHOUT[option.name]
    return "none" if option.default is None else written(option, option.default)


def _quoted(text: str) -> str:
    return text if text[0].isalpha() and text not in ("true", "false") else f"`{text}`"


def written(option: Option, value: Any) -> str:
    """A value as TOML."""
    import json

    from torchlint.options import Kind

    match option.kind:
        case Kind.FILE_CODES:
            pairs = ", ".join(f"{json.dumps(pattern)} = {json.dumps(codes)}" for pattern, codes in value)
            return f"{{ {pairs} }}" if pairs else "{}"
        case Kind.RELEASE:
            return json.dumps(".".join(map(str, value)))
        case Kind.RULES:
            answers = ", ".join(f"{code}.{name} = {json.dumps(answer)}" for code, name, answer in value)
            return f"{{ {answers} }}" if answers else "{}"
    return json.dumps(value, ensure_ascii=False)


def shown(settings: Settings, path: str) -> Iterator[str]:
    """What holds for a file, in lines of TOML that say who gave each value."""
    from torchlint.options import OPTIONS

    yield f"# {os.path.abspath(path)}"
    yield f"# configuration: {settings.file or 'none'}"
    for name, option in OPTIONS.items():
        if name == "extend":
            continue
        value, origin = settings.resolved(name), settings.origin(name) or "default"
        if value is None:
            yield f"# {name} is not set"
        else:
            yield f"{name} = {written(option, value)}  # {origin}"

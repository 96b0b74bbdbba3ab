"""The JSON schema of configuration files, by which editors complete and check them."""

from __future__ import annotations

from typing import Any

from torchlint.options import OPTIONS, Kind, Option
from torchlint.reports import FORMATS
from torchlint.rules import RULES
from torchlint.values import code_words


def schema() -> dict[str, Any]:
    """The schema of the table `[tool.torchlint]`, and of a whole torchlint.toml."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "torchlint",
        "description": "Options of torchlint, a linter for PyTorch code.",
        "type": "object",
        "additionalProperties": False,
        "properties": {option.name: _property(option) for option in OPTIONS.values()},
        "definitions": {
            "codes": {"type": "array", "items": {"type": "string", "enum": sorted(code_words())}},
            "strings": {"type": "array", "items": {"type": "string"}},
        },
    }


def _property(option: Option) -> dict[str, Any]:
    found: dict[str, Any] = {"description": option.doc, **_type(option)}
    if isinstance(option.default, (bool, int, str)):
        found["default"] = option.default
    elif isinstance(option.default, tuple):
        mapping = option.kind in (Kind.FILE_CODES, Kind.RULES)
        found["default"] = dict(option.default) if mapping else list(option.default)
    return found


def _type(option: Option) -> dict[str, Any]:
    codes = {"$ref": "#/definitions/codes"}
    match option.kind:
        case Kind.FLAG:
            return {"type": "boolean"}
        case Kind.CODES:
            return {"allOf": [codes]}
        case Kind.PATTERNS | Kind.NAMES:
            return {"allOf": [{"$ref": "#/definitions/strings"}]}
        case Kind.FILE_CODES:
            return {"type": "object", "additionalProperties": codes}
        case Kind.COUNT:
            return {"type": "integer", "minimum": 1}
        case Kind.FORMAT:
            return {"type": "string", "enum": list(FORMATS)}
        case Kind.RELEASE:
            return {"type": "string", "pattern": r"^\d+(\.\d+){1,3}$"}
        case Kind.RULES:
            return {"type": "object", "additionalProperties": False, "properties": _rules()}
    return {"type": "string"}


def _rules() -> dict[str, Any]:
    """The options of each rule that has any, under its code and under its name."""
    return {
        word: {
            "type": "object",
            "description": f"Options of {rule.code}, {rule.name}.",
            "additionalProperties": False,
            "properties": {
                option.name: {"type": "boolean", "description": option.doc, "default": option.default}
                for option in rule.options
            },
        }
        for rule in RULES
        if rule.options
        for word in (rule.code, rule.name)
    }

"""The operators of Python as LibCST names them and as the tables spell them."""

from __future__ import annotations

import libcst as cst

OPERATORS = {
    cst.Add: "+",
    cst.Subtract: "-",
    cst.Multiply: "*",
    cst.Divide: "/",
    cst.FloorDivide: "//",
    cst.Modulo: "%",
    cst.Power: "**",
    cst.MatrixMultiply: "@",
    cst.BitAnd: "&",
    cst.BitOr: "|",
    cst.BitXor: "^",
    cst.LeftShift: "<<",
    cst.RightShift: ">>",
    cst.Equal: "==",
    cst.NotEqual: "!=",
    cst.LessThan: "<",
    cst.LessThanEqual: "<=",
    cst.GreaterThan: ">",
    cst.GreaterThanEqual: ">=",
}


def augmented_operator(node: cst.BaseAugOp) -> str:
    """`+=` for the node of it."""
    name = type(node).__name__.removesuffix("Assign")
    return OPERATORS.get(getattr(cst, name, cst.Add), "+") + "="

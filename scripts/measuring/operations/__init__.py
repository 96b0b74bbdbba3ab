"""Measuring operations: calls of torch, what each saves, shares and writes; and the rows of ops.tsv."""

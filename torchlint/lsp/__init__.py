"""The language server: buffers in, diagnostics and fixes out, in the words of the protocol.

It is the only part that imports pygls, which comes with the extra `lsp`.
"""

"""The oracle: runs programs under observers and says, by file and line, what torch did.

The only part of torchlint that imports torch, and only when it is run. The linter itself never comes here.
"""

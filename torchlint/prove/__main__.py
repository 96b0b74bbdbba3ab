"""`python -m torchlint.prove` is `torchlint prove`."""

from __future__ import annotations

import sys

from torchlint.prove.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The stack level of warnings, so that they point to the caller of the package."""

import os
import sys
from pathlib import Path

PACKAGE = f"{Path(__file__).parent}{os.sep}"


def find_stack_level() -> int:
    """Return the `stacklevel` of the first caller outside of this package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame, level = frame.f_back, level + 1
    return level

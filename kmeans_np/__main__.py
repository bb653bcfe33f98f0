"""The command line: ``kmeans-np`` or ``python -m kmeans_np``."""

import io
import sys
from collections.abc import Sequence

from kmeans_np import interrupt
from kmeans_np.cli import (
    PROBLEMS,
    build_parser,
    discard_stdout,
    quieted,
    report,
    status_of,
    streams,
)


def _prepare_output() -> None:
    """Let nothing fail because output is closed or a file name cannot be printed."""
    sys.stdout = sys.stdout or io.StringIO()
    sys.stderr = sys.stderr or io.StringIO()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    status = 0
    try:
        interrupt.raise_again()
        _prepare_output()
        args = build_parser().parse_args(argv)
        with quieted(args.quiet), streams(args):
            status = args.run(args) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # The reader of our output has seen enough, as `head` has.
    except PROBLEMS as error:
        report(error)
        status = status_of(error)
    except KeyboardInterrupt:
        print("kmeans-np: stopped", file=sys.stderr)
        status = 130
    try:
        sys.stdout.flush()
    except OSError:
        discard_stdout()
    return status


if __name__ == "__main__":
    sys.exit(main())

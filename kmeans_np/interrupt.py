"""Ctrl-C while the command line is still being imported.

The package imports this file before all others. It sets a handler of SIGINT that ends
the process without a traceback, and `main` restores Python's own handler. Other
programs are not affected.
"""

# No other imports: the handler is not yet set while they run.
import os
import signal
import sys

SCRIPTS = ("kmeans-np", "kmeans-np.exe")
MODULES = ("kmeans_np", "kmeans_np.__main__")


def is_command_line() -> bool:
    """Return whether Python was started as ``kmeans-np`` or ``python -m kmeans_np``."""
    arguments = getattr(sys, "argv", [])
    # The program's arguments come last; the word before them is the program's name.
    program = "".join(sys.orig_argv[-len(arguments) :][:1])
    if arguments[:1] != ["-m"]:
        return program.rpartition(os.sep)[2] in SCRIPTS
    # Python is still looking for the module. Its name may be joined to the option.
    if program.startswith("-"):
        program = program.partition("m")[2]
    return program in MODULES


def stop(*_: object) -> None:
    """End the process as `main` does; nothing has been written yet."""
    try:
        os.write(2, b"kmeans-np: stopped\n")
    finally:
        os._exit(130)


def raise_again() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, if it was `stop` that handled it."""
    if signal.getsignal(signal.SIGINT) is stop:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# If SIGINT is ignored, as in background processes of a shell, it stays ignored.
if is_command_line() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, stop)

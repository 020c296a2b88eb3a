"""``humobctl`` and ``python -m humobctl``."""

import os
import signal


def run() -> None:
    """Entry point: Ctrl-C ends the program without a word even while it is still being loaded."""
    # Left alone where the parent has us ignore it (nohup, a shell's &).
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))
    from humobctl.cli import main  # noqa: PLC0415 - this is what takes time

    main()


if __name__ == "__main__":
    run()

"""The program palimpsest generate: signals, and a message for missing Python modules."""

import sys

from ..pack.stop import Stopped, raise_on_signals

NAME = "palimpsest generate"


def run() -> None:
    raise_on_signals()
    try:
        from .cli import main

        sys.exit(main(sys.argv[1:]))
    except ModuleNotFoundError as error:
        sys.exit(f"{NAME}: this Python ({sys.executable}) has no module '{error.name}'. Run launch/setup.sh, or pip install ./tools/python.")
    except Stopped as stopped:
        sys.exit(stopped.exit_code())
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)

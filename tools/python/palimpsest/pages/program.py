"""The program palimpsest report: its exit codes, and what this Python lacks."""

import sys

NAME = "palimpsest report"


def run() -> None:
    try:
        from .cli import main

        sys.exit(main(sys.argv[1:]))
    except ModuleNotFoundError as error:
        sys.exit(f"{NAME}: this Python ({sys.executable}) has no module '{error.name}'. Run launch/setup.sh, or pip install ./tools/python.")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)

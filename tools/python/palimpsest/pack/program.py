"""The program palimpsest pack: its signals, and what this Python lacks."""

import sys

from .stop import Stopped, end, raise_on_signals


def run() -> None:
    raise_on_signals()
    try:
        from .cli import main

        sys.exit(main(sys.argv[1:]))
    except ModuleNotFoundError as error:
        sys.exit(
            f"palimpsest pack: this Python ({sys.executable}) has no module '{error.name}'. Run launch/setup.sh and "
            "then .venv/bin/python tools/palimpsest-pack, or pip install ./tools/python."
        )
    except Stopped as stopped:
        end(stopped)

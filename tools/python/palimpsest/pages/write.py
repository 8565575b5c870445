"""Files that take their place in one step: who reads them sees the old or the new one, never a part."""

import os
import tempfile
from collections.abc import Sequence

from .draw import Figure
from .svg import png_file, svg_file


def write_file(path: str, content: str | bytes) -> None:
    """Raises OSError; what was there stays then."""
    folder = os.path.dirname(os.path.abspath(path))
    file, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=folder)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(content if isinstance(content, bytes) else content.encode())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_figures(folder: str, figures: Sequence[Figure]) -> None:
    """Each as NAME.svg and NAME.png, in the colours of the light scheme; nothing where no folder is given."""
    if not folder:
        return
    os.makedirs(folder, exist_ok=True)
    for figure in figures:
        write_file(os.path.join(folder, f"{figure.name}.svg"), svg_file(figure.drawing))
        write_file(os.path.join(folder, f"{figure.name}.png"), png_file(figure.drawing))

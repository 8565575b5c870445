import pytest
from image_support import main


@pytest.fixture
def pack(tmp_path, capsys):
    """pack(source, *options, code=0) packs in this process and returns (path, stdout, stderr)."""

    def packed(*arguments, code=0, name="pack.h5"):
        out = tmp_path / name
        options = ["images", *map(str, arguments), "--out", str(out)]
        if "--workers" not in options:
            options += ["--workers", "1"]
        found = main(options)
        streams = capsys.readouterr()
        assert found == code, streams.out + streams.err
        return out, streams.out, streams.err

    return packed

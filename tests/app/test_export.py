"""What palimpsest export writes, opened by timm, transformers and peft: without a warning, and with the model's own logits."""

import csv
import json
import logging
import os
import subprocess
import warnings

import h5py
import numpy as np
import peft
import pytest
import safetensors.torch
import timm
import torch
import transformers
from memory import heads_of, of_tasks
from tiers import quick
from toy import in_mpnet

EXPORT = os.environ["PALIMPSEST_EXPORT"]
MERGE = os.path.join(os.path.dirname(EXPORT), "palimpsest-merge")
TOLERANCE = 1e-5  # of logits around 1: float32 sums in another order


def export(*arguments, code=0):
    done = subprocess.run([EXPORT, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    text = done.stdout + done.stderr
    assert done.returncode == code, text
    return text


class quiet:
    """Within, every warning is an error, also those that transformers and peft only log."""

    def __enter__(self):
        self.said = []
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: self.said.append(record.getMessage())
        self.handler, self.loggers = handler, [logging.getLogger(name) for name in ("transformers", "peft", "timm")]
        for logger in self.loggers:
            logger.addHandler(handler)
        self.caught = warnings.catch_warnings()
        self.caught.__enter__()
        warnings.simplefilter("error")
        # What peft looks up in transformers by an older name.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")

    def __exit__(self, *error):
        self.caught.__exit__(*error)
        for logger in self.loggers:
            logger.removeHandler(self.handler)
        assert not self.said, self.said


def differences(run, task=3):
    """theta_hat - theta_hat_0 by canonical module."""
    with h5py.File(f"{run}/state-{task:04d}.h5") as file:
        return {name: torch.from_numpy(values[:]) for name, values in file["weights"].items()}


def heads(run, task=3):
    with h5py.File(f"{run}/state-{task:04d}.h5") as file:
        return [torch.from_numpy(np.concatenate([head[name] for head in heads_of(file)])) for name in ("weight", "bias")]


def backbone_of(run):
    with open(f"{run}/run.json") as file:
        return json.load(file)["config"]["backbone"]


@torch.no_grad()
def text_features(model):
    """The mean over tokens of the last layer, for a batch of one length."""
    ids = torch.arange(3, 39).view(4, 9)
    return model.eval()(ids, attention_mask=torch.ones_like(ids)).last_hidden_state.mean(1)


@torch.no_grad()
def expected_text_features(run, task=3):
    model = transformers.AutoModel.from_pretrained(backbone_of(run))
    for name, difference in differences(run, task).items():
        model.get_submodule(in_mpnet(name) if model.config.model_type == "mpnet" else name).weight += difference
    return text_features(model)


IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(5))


@torch.no_grad()
def expected_image_logits(run):
    """Of timm's model of the toy, changed by hand."""
    folder = backbone_of(run)
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2, num_classes=0)
    model.load_state_dict(safetensors.torch.load_file(os.path.join(folder, "model.safetensors")))
    for name, difference in differences(run).items():
        block, part = name.split(".")[1], {"query": 0, "key": 1, "value": 2}[name.split(".")[-1]]
        model.blocks[int(block)].attn.qkv.weight[32 * part : 32 * (part + 1)] += difference
    weight, bias = heads(run)
    return model.eval()(IMAGES) @ weight.T + bias


def assert_close(found, expected):
    assert expected.abs().max() > 0.1, "nothing to compare"
    torch.testing.assert_close(found, expected, atol=TOLERANCE, rtol=0)


@pytest.fixture(scope="module")
def image_run(vision_toy):
    vision_toy.run(out="export")
    return vision_toy.path("runs", "export")


@pytest.fixture(scope="module")
def dino_run(vision_toy):
    torch.manual_seed(2)
    config = transformers.Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=32, patch_size=8)
    model = transformers.Dinov2Model(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    model.save_pretrained(vision_toy.path("dino"))
    vision_toy.run("--backbone", vision_toy.path("dino"), out="export-dino")
    return vision_toy.path("runs", "export-dino")


@torch.no_grad()
def expected_dino_logits(run):
    model = transformers.Dinov2Model.from_pretrained(backbone_of(run))
    for name, difference in differences(run).items():
        block, part = name.split(".")[1], {"key": "k_proj", "value": "v_proj"}[name.split(".")[-1]]
        getattr(model.encoder.layer[int(block)].attention, part).weight += difference
    weight, bias = heads(run)
    return model.eval()(IMAGES).last_hidden_state[:, 0] @ weight.T + bias


@pytest.mark.parametrize("run", ["reference_run", "mpnet_run"])
def test_a_text_model_opens_with_automodel(run, request, tmp_path):
    run = request.getfixturevalue(run)
    text = export(run, "--out", tmp_path)
    assert "mean over tokens" in text
    with quiet():
        model, info = transformers.AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values()), info
    assert_close(text_features(model), expected_text_features(run))
    weight, bias = heads(run)
    written = safetensors.torch.load_file(tmp_path / "heads.safetensors")
    assert torch.equal(written["weight"], weight) and torch.equal(written["bias"], bias)
    with open(tmp_path / "heads.json") as file:
        assert sum(json.load(file)["classes_by_task"], []) == [f"class {c}" for c in range(8)]


@pytest.mark.parametrize("dialect", quick(1, ["own", "timm"]))
def test_a_vision_model_opens_with_timm(image_run, dialect, tmp_path):
    export(image_run, "--out", tmp_path, "--dialect", dialect)
    with quiet():
        model = timm.create_model(f"local-dir:{tmp_path}", pretrained=True)
    with torch.no_grad():
        assert_close(model.eval()(IMAGES), expected_image_logits(image_run))


@pytest.mark.parametrize("dialect", quick(1, ["hf4", "hf5"]))
def test_a_vision_model_opens_with_transformers(image_run, dialect, tmp_path):
    export(image_run, "--out", tmp_path, "--dialect", dialect)
    with quiet():
        model, info = transformers.AutoModelForImageClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values()), info
    assert list(model.config.id2label.values()) == list(model.config.label2id)
    with torch.no_grad():
        assert_close(model.eval()(IMAGES).logits, expected_image_logits(image_run))
    names = set(safetensors.torch.load_file(tmp_path / "model.safetensors"))
    assert ("vit.layers.0.attention.k_proj.weight" in names) == (dialect == "hf5")
    assert ("vit.encoder.layer.0.attention.attention.key.weight" in names) == (dialect == "hf4")


@pytest.mark.parametrize("dialect", quick(1, ["hf4", "hf5", "timm"]))
def test_a_dinov2_opens_with_both(dino_run, dialect, tmp_path):
    export(dino_run, "--out", tmp_path, "--dialect", dialect)
    with quiet():
        if dialect == "timm":
            model = timm.create_model(f"local-dir:{tmp_path}", pretrained=True)
        else:
            model, info = transformers.AutoModelForImageClassification.from_pretrained(tmp_path, output_loading_info=True)
            assert not any(info.values()), info
    with torch.no_grad():
        found = model.eval()(IMAGES)
    assert_close(found if dialect == "timm" else found.logits, expected_dino_logits(dino_run))


@pytest.mark.parametrize("rule", quick(1, ["closed-form", "closed-form:by=module", "closed-form:by=direction", "average"]))
def test_the_exact_adapter_is_the_merged_model(toy, rule, tmp_path):
    run = "export-" + rule.replace(":", "-")
    toy.run("--merge", rule, "--tasks", 3, out=run)
    run = toy.path("runs", run)
    text = export(run, "--format", "peft", "--out", tmp_path)
    assert "rank 12, exact" in text
    with quiet():
        model = peft.PeftModel.from_pretrained(transformers.AutoModel.from_pretrained(backbone_of(run)), tmp_path)
    assert_close(text_features(model), expected_text_features(run, 2))


def test_the_exact_adapter_of_mpnet_has_its_modules(mpnet_run, tmp_path):
    export(mpnet_run, "--format", "peft", "--out", tmp_path)
    with open(tmp_path / "adapter_config.json") as file:
        modules = json.load(file)["target_modules"]
    assert "encoder.layer.0.attention.attn.k" in modules and len(modules) == 12
    with quiet():
        model = peft.PeftModel.from_pretrained(transformers.AutoModel.from_pretrained(backbone_of(mpnet_run)), tmp_path)
    assert_close(text_features(model), expected_text_features(mpnet_run))


@pytest.mark.slow
def test_an_adapter_for_timm_covers_the_fused_projection(image_run, tmp_path):
    export(image_run, "--format", "peft", "--dialect", "timm", "--out", tmp_path)
    base = timm.create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2, num_classes=0)
    base.load_state_dict(safetensors.torch.load_file(os.path.join(backbone_of(image_run), "model.safetensors")))
    with quiet():
        model = peft.PeftModel.from_pretrained(base, tmp_path)
    weight, bias = heads(image_run)
    with torch.no_grad():
        assert_close(model.eval()(IMAGES) @ weight.T + bias, expected_image_logits(image_run))


@pytest.mark.slow
def test_a_rule_that_is_not_linear_has_no_exact_adapter(toy, tmp_path):
    toy.run("--merge", "closed-form:by=coordinate", "--tasks", 2, out="export-coordinate")
    run = toy.path("runs", "export-coordinate")
    assert "isn't linear" in export(run, "--format", "peft", "--out", tmp_path, code=2)
    text = export(run, "--format", "peft", "--rank", 6, "--out", tmp_path)
    written = safetensors.torch.load_file(tmp_path / "adapter_model.safetensors")
    whole = left = 0
    for name, difference in differences(run, 1).items():
        key = f"base_model.model.{name}.lora_"
        found = written[key + "B.weight"].double() @ written[key + "A.weight"].double()
        singular = torch.linalg.svdvals(difference.double())
        whole, left = whole + singular.square().sum(), left + singular[6:].square().sum()
        assert (found - difference).square().sum() == pytest.approx(singular[6:].square().sum().item(), rel=1e-4)
    assert float(text.split("residual ")[1].split()[0]) == pytest.approx((left / whole).sqrt().item(), rel=1e-3)


@pytest.mark.slow
def test_the_optimum_and_earlier_tasks(toy, reference_run, tmp_path):
    with h5py.File(f"{reference_run}/tasks/task-0003.h5") as file:
        deltas = {name: m.attrs["scale"] * m["B"][:].astype("f8") @ m["A"][:].astype("f8") for name, m in file["lora"].items()}
    before = differences(reference_run, 2)
    export(reference_run, "--optimum", "--out", tmp_path / "optimum")
    written = safetensors.torch.load_file(tmp_path / "optimum" / "model.safetensors")
    pretrained = safetensors.torch.load_file(os.path.join(backbone_of(reference_run), "model.safetensors"))
    for name, delta in deltas.items():
        change = (written[f"{name}.weight"] - pretrained[f"{name}.weight"]).double().numpy()
        np.testing.assert_allclose(change, before[name].double().numpy() + delta, atol=1e-6)
    export(reference_run, "--task", 3, "--out", tmp_path / "third")
    third = safetensors.torch.load_file(tmp_path / "third" / "model.safetensors")
    for name, difference in before.items():
        torch.testing.assert_close(third[f"{name}.weight"], pretrained[f"{name}.weight"] + difference, atol=1e-6, rtol=0)


@pytest.mark.slow
def test_merged_weights_of_another_rule(reference_run, tmp_path):
    merged = tmp_path / "merged.h5"
    subprocess.run([MERGE, reference_run, "--rule", "average", "--out", merged], check=True, capture_output=True)
    text = export(merged, "--backbone", backbone_of(reference_run), "--out", tmp_path / "model")
    assert "post hoc" in text
    pretrained = safetensors.torch.load_file(os.path.join(backbone_of(reference_run), "model.safetensors"))
    written = safetensors.torch.load_file(tmp_path / "model" / "model.safetensors")
    with h5py.File(merged) as file:
        for name, values in file["weights"].items():
            expected = pretrained[f"{name}.weight"] + torch.from_numpy(values[:])
            torch.testing.assert_close(written[f"{name}.weight"], expected, atol=1e-7, rtol=0)
    assert "isn't linear" in export(merged, "--backbone", backbone_of(reference_run), "--format", "peft", "--out", tmp_path / "no", code=2)


@pytest.mark.slow
def test_heads_of_other_kinds(toy, tmp_path):
    """Cosine heads are beside the model; fitted heads of a frozen backbone are those that the run answers with now."""
    toy.run("--head", "cosine", "--tasks", 2, out="export-cosine")
    text = export(toy.path("runs", "export-cosine"), "--out", tmp_path / "cosine")
    assert "heads.safetensors: cosine" in text
    with open(tmp_path / "cosine" / "heads.json") as file:
        said = json.load(file)
    assert said["kind"] == "cosine" and said["scale"] == 16

    frozen = ("--adapter", "none", "--merge", "none", "--perturbation", "none", "--classifier", "local:align=gaussian")
    toy.run(*frozen, "--tasks", 3, out="export-frozen")
    run = toy.path("runs", "export-frozen")
    export(run, "--out", tmp_path / "frozen")
    written = safetensors.torch.load_file(tmp_path / "frozen" / "heads.safetensors")
    with h5py.File(f"{run}/state-0002.h5") as file:
        own = np.concatenate([of_task["weight"] for of_task in of_tasks(file, "classifier/local:align=gaussian")])
    np.testing.assert_array_equal(written["weight"].numpy(), own)
    assert not torch.equal(written["weight"], heads(run, 2)[0])
    assert "aligned over all 3 tasks" in export(run, "--task", 1, "--out", tmp_path / "first")
    assert "only heads were trained" in export(run, "--format", "peft", "--out", tmp_path / "no", code=2)

    for kind, options in (("linear", ()), ("cosine", ("--head", "cosine"))):
        toy.run(*frozen[:-1], "local:normalise=true", *options, "--tasks", 2, out=f"export-normalised-{kind}")
        run = toy.path("runs", f"export-normalised-{kind}")
        text = export(run, "--out", tmp_path / f"normalised-{kind}")
        assert ("not divided by their norms" in text) == (kind == "cosine"), text
        written = safetensors.torch.load_file(tmp_path / f"normalised-{kind}" / "heads.safetensors")
        with h5py.File(f"{run}/state-0001.h5") as file:
            norms = [of_task["norm"][0] for of_task in of_tasks(file, "classifier/local:normalise=true")]
        expected = heads(run, 1)[0] / torch.tensor(norms if kind == "linear" else [1.0, 1.0]).repeat_interleave(2)[:, None]
        assert torch.equal(written["weight"], expected)


CLASSIFIERS = ["local", "ridge", "gaussian", "prototype", "ridge:projection=50", "gaussian:covariance=class"]


@pytest.fixture(scope="module")
def classified(toy):
    """A run with classifiers of every form, and what each gives for the pack's test samples, by palimpsest predict."""
    toy.run("--classifier", ",".join(CLASSIFIERS), "--tasks", 3, out="export-classifiers")
    run = toy.path("runs", "export-classifiers")
    scores = {}
    for name in CLASSIFIERS:
        table = toy.path("export-predictions.csv")
        done = subprocess.run([os.environ["PALIMPSEST"], "predict", "--weights", run, "--split", "test", "--scores", "logits",
                               "--classifier", name, "--out", table], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        with open(table, newline="") as file:
            rows = list(csv.DictReader(file))
        samples = [int(row["sample"]) for row in rows]
        scores[name] = np.array([[float(value) for column, value in row.items() if column.startswith("logit of ")] for row in rows])
    return run, samples, scores


def sample_features(folder, pack, samples):
    """[samples, features], in float64."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    found = []
    with h5py.File(pack) as file, torch.no_grad():
        ids = file["bytes"][:].view("<i4") if file["bytes"].dtype == np.uint8 else file["bytes"][:]
        offsets = file["offsets"][:] // (4 if file["bytes"].dtype == np.uint8 else 1)
        for sample in samples:
            tokens = torch.from_numpy(ids[offsets[sample] : offsets[sample + 1]].astype(np.int64))[None]
            found.append(model(tokens, attention_mask=torch.ones_like(tokens)).last_hidden_state.mean(1)[0])
    return torch.stack(found).double().numpy()


def by_recipe(folder, f):
    """Scores as classifier.json says them."""
    with open(folder / "classifier.json") as file:
        recipe = json.load(file)
    arrays = {name: value.double().numpy() for name, value in safetensors.torch.load_file(folder / "classifier.safetensors").items()}
    if "projection" in arrays:
        assert recipe["scores"] == "h = maximum(0, f @ projection); scores = h @ weight.T"
        return np.maximum(0, f @ arrays["projection"]) @ arrays["weight"].T
    f = f / np.linalg.norm(f, axis=1, keepdims=True)
    columns, first = [], 0
    for c, count in enumerate(recipe["directions"]):
        rows = arrays["factor"][first : first + count]
        first += count
        variance = (rows**2).sum(0) + arrays["rest"][c]
        added = arrays["rest"][c] + recipe["shrink"] * variance.mean() if variance.mean() > 0 else 1
        covariance = rows.T @ rows + added * np.identity(len(variance))
        deviation = np.sqrt(np.diag(covariance))
        apart = f - arrays["mean"][c]
        columns.append(-(apart @ np.linalg.inv(covariance / np.outer(deviation, deviation)) * apart).sum(1) / 2)
    return np.stack(columns, 1)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_classifier_that_answers_is_a_linear_layer_or_has_a_recipe(toy, classified, name, tmp_path):
    run, samples, scores = classified
    export(run, "--classifier", name, "--out", tmp_path)
    f = sample_features(tmp_path, toy.path("pack.h5"), samples)
    if (tmp_path / "classifier.json").exists():
        found = by_recipe(tmp_path, f)
        assert name in ("ridge:projection=50", "gaussian:covariance=class")
    else:
        head = {part: value.double().numpy() for part, value in safetensors.torch.load_file(tmp_path / "heads.safetensors").items()}
        found = f @ head["weight"].T + head["bias"]
    if name == "prototype":
        found /= np.linalg.norm(f, axis=1, keepdims=True)
    if name.startswith("gaussian"):  # up to a number that all classes share
        found, expected = (values - values.mean(1, keepdims=True) for values in (found, scores[name]))
    else:
        expected = scores[name]
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())
    assert (found.argmax(1) == scores[name].argmax(1)).mean() > 0.98  # rounding may decide between equals


def test_a_classifier_is_one_of_the_runs_and_knows_all_its_tasks(classified, tmp_path):
    run, _, _ = classified
    assert "the run has local, ridge, " in export(run, "--classifier", "gaussian:shrink=1", "--out", tmp_path, code=2)
    text = export(run, "--classifier", "ridge", "--task", 2, "--out", tmp_path)
    assert "the heads that training made, since the classifier ridge has learned all 3 tasks" in text
    weight, _ = heads(run, 2)
    assert torch.equal(safetensors.torch.load_file(tmp_path / "heads.safetensors")["weight"], weight[:4])


@pytest.mark.parametrize("dialect", quick(1, ["own", "timm", "hf5"]))
def test_images_are_to_be_prepared_as_the_run_did(vision_toy, dialect, tmp_path):
    settings = ("--image-transform", "resize-crop:size=32,normalisation=none,interpolation=bilinear,crop=0.5")
    vision_toy.run(*settings, "--tasks", 1, "--resume", "auto", out="export-prepared")
    export(vision_toy.path("runs", "export-prepared"), "--dialect", dialect, "--out", tmp_path)
    if dialect == "hf5":
        said = transformers.AutoImageProcessor.from_pretrained(tmp_path)
        assert list(said.image_mean) == [0, 0, 0] and list(said.image_std) == [1, 1, 1]
        assert said.resample == 2 and said.size["shortest_edge"] == 64 and said.crop_size["height"] == 32
    else:
        said = timm.data.resolve_model_data_config(timm.create_model(f"local-dir:{tmp_path}", pretrained=True))
        assert list(said["mean"]) == [0, 0, 0] and list(said["std"]) == [1, 1, 1]
        assert said["interpolation"] == "bilinear" and said["crop_pct"] == 0.5


def test_what_cannot_be_exported_is_refused(reference_run, image_run, tmp_path):
    assert "has finished 4 tasks" in export(reference_run, "--task", 5, "--out", tmp_path, code=2)
    assert "not the backbone that the run was trained on" in export(reference_run, "--backbone", backbone_of(image_run), "--out", tmp_path, code=3)
    assert "--dialect own" in export(reference_run, "--dialect", "timm", "--out", tmp_path, code=2)
    assert "backbone's own folder" in export(reference_run, "--out", backbone_of(reference_run), code=2)
    state = os.path.join(reference_run, "state-0003.h5")
    assert "found a record of type 'state': give its run, with --task N" in export(state, "--out", tmp_path, code=3)
    assert "expected a run folder" in export(tmp_path / "nothing", "--out", tmp_path, code=3)
    assert os.listdir(tmp_path) == []


def test_the_adapter_of_a_dinov2_opens_with_this_transformers(dino_run, tmp_path):
    """transformers saves a Dinov2Model under the names of version 4, and has others in memory since version 5."""
    text = export(dino_run, "--format", "peft", "--out", tmp_path / "own")
    assert "its modules have the names of transformers 4; for transformers 5: --dialect hf5" in text
    assert "transformers" not in export(dino_run, "--format", "peft", "--dialect", "hf5", "--out", tmp_path / "hf5")
    with quiet():
        model = peft.PeftModel.from_pretrained(transformers.AutoModel.from_pretrained(backbone_of(dino_run)), tmp_path / "hf5")
    weight, bias = heads(dino_run)
    with torch.no_grad():
        assert_close(model.eval()(IMAGES).last_hidden_state[:, 0] @ weight.T + bias, expected_dino_logits(dino_run))


def test_the_preprocessor_of_a_dinov2_has_the_size_of_the_runs_images(vision_toy, dino_run, tmp_path):
    vision_toy.run("--backbone", vision_toy.path("dino"), "--image-transform", "resize-crop:size=24,crop=0.75", "--tasks", 1, out="export-dino-24")
    for run, side, before in ((vision_toy.path("runs", "export-dino-24"), 24, 32), (dino_run, 32, 37)):
        export(run, "--dialect", "hf5", "--out", tmp_path / str(side))
        with open(tmp_path / str(side) / "preprocessor_config.json") as file:
            prepared = json.load(file)
        assert prepared["crop_size"] == {"height": side, "width": side} and prepared["size"] == {"shortest_edge": before}

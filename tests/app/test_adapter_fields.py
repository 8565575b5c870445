"""Adapters of PEFT: every field and every tensor is understood, changes nothing, or is refused by name."""

import dataclasses
import json
import os
import shutil

import peft
import pytest
import safetensors.torch
import torch
import transformers
from adapters import change_config, expect_close, make_adapter, tool, weights_of

# Read, each with its own tests.
READ = {"peft_type", "base_model_name_or_path", "revision", "r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern",
              "bias", "init_lora_weights", "target_modules", "exclude_modules", "modules_to_save"}
# What s B A is doesn't depend on them.
HARMLESS = {"task_type", "auto_mapping", "peft_version", "inference_mode", "lora_dropout", "runtime_config", "megatron_core",
            "layers_to_transform", "layers_pattern", "eva_config", "corda_config", "loftq_config", "lora_ga_config", "qalora_group_size"}
FIELDS = [field.name for field in dataclasses.fields(peft.LoraConfig)]
WEIGHTS = "adapter_model.safetensors"
LAYER = "base_model.model.encoder.layer.0.attention.self"


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("plain") / "adapter")
    make_adapter(folder, 3)
    return folder


@pytest.fixture
def adapter(plain, tmp_path):
    return shutil.copytree(plain, tmp_path / "adapter")


def merged(folder, tmp_path):
    out = str(tmp_path / "merged.h5")
    tool("merge", "--adapters", folder, "--rule", "average", "--out", out)
    return weights_of(out)


def text_of(*folders, code=3):
    return " ".join(tool("merge", "--adapters", *folders, "--rule", "average", code=code).split())


def change_tensors(folder, change):
    path = os.path.join(folder, WEIGHTS)
    tensors = safetensors.torch.load_file(path)
    change(tensors)
    safetensors.torch.save_file(tensors, path)


def by_peft(folder):
    """Deltas by module when PEFT itself opens the folder."""
    config = transformers.BertConfig(vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                                     intermediate_size=32, max_position_embeddings=16)
    model = peft.PeftModel.from_pretrained(transformers.BertModel(config), folder)
    return {name.removeprefix("base_model.model."): module.get_delta_weight("default").detach().double().numpy()
            for name, module in model.named_modules() if hasattr(module, "get_delta_weight")}


def test_the_lists_name_fields_of_peft():
    assert not (READ & HARMLESS) and (READ | HARMLESS) <= set(FIELDS)


@pytest.mark.parametrize("field", sorted(set(FIELDS) - READ) + ["a_field_of_tomorrow"])
def test_a_field_that_is_set_changes_nothing_or_is_refused(adapter, field):
    for no in (None, False, "", [], {}):
        change_config(adapter, **{field: no})
        text_of(adapter, code=0)
    for value in (True, [1, 2], {"key": 1}):
        change_config(adapter, **{field: value})
        if field in HARMLESS:
            text_of(adapter, code=0)
        else:
            assert f"adapter_config.json: {field} is {json.dumps(value, separators=(',', ':'))}: " in text_of(adapter)


@pytest.mark.parametrize("field,value,reason", [
    ("alora_invocation_tokens", [3, 4], "only the tokens behind its invocation"),
    ("arrow_config", {"top_k": 2}, "for every token"),
    ("a_field_of_tomorrow", 0.5, "a field that this program doesn't know"),
    ("init_lora_weights", "pissa_niter_4", "it changed the base model before training"),
    ("init_lora_weights", "olora", "it changed the base model before training"),
    ("init_lora_weights", "of_tomorrow", "an initialisation that isn't known"),
    ("peft_type", "LOHA", "only LORA adapters"),
    ("bias", "lora_only", "trained biases"),
    ("init_lora_weights", "loftq", "it quantized the base model"),
])
def test_the_reason_is_said(adapter, field, value, reason):
    change_config(adapter, **{field: value})
    text = text_of(adapter)
    assert f"{field} is " in text and reason in text


@pytest.mark.parametrize("value", ["false", 0, 1, "yes"])
def test_rslora_is_yes_or_no(adapter, value):
    change_config(adapter, use_rslora=value)
    assert f"use_rslora: expected true or false, found {json.dumps(value)}" in text_of(adapter)


@pytest.mark.parametrize("start", [True, False, "gaussian", "eva", "orthogonal", "mica"])
def test_starts_that_leave_the_base_model_as_it_was(adapter, start):
    change_config(adapter, init_lora_weights=start)
    text_of(adapter, code=0)


@pytest.mark.parametrize("alphas", [
    {"self.value": 6, "layer.0.attention.self.value": 3},  # the first wins, though it sorts behind the second
    {"layer.0.attention.self.value": 3, "self.value": 6},
    {r"layer\.1\..*": 6, "value": 3},
    {"^encoder.layer.0.attention.self.query": 5},
    {"alue": 5},  # no whole part of a name
    {"query|value": 5},
    {"layer.[01].attention.self.(query|key)": 5},
    {r"encoder.layer.\d+.attention.self.(?:query)$": 2.5},
])
def test_patterns_mean_what_they_mean_to_peft(adapter, tmp_path, alphas):
    change_config(adapter, alpha_pattern=alphas)
    expect_close(merged(adapter, tmp_path), by_peft(adapter), 1e-6)


@pytest.mark.parametrize("pattern", ["(?P<part>query)", r"query\Z", "(?i)QUERY", "(?<=self.)query", "[]q]uery", "qu(ery", "query++"])
def test_patterns_that_only_python_reads_are_refused(adapter, pattern):
    change_config(adapter, alpha_pattern={pattern: 2})
    text = text_of(adapter)
    assert "alpha_pattern: expected regular expressions that this program reads" in text and pattern in text


@pytest.mark.parametrize("changes,fits", [
    ({"target_modules": ["value", "attention.self.query"]}, True),
    ({"target_modules": r".*\.(query|value)"}, True),
    ({"target_modules": "all-linear"}, True),
    ({"target_modules": ["value"]}, False),
    ({"target_modules": ["alue", "query"]}, False),
    ({"target_modules": r"encoder.*(query|val)"}, False),
    ({"exclude_modules": ["layer.1.attention.self.value"]}, False),
    ({"exclude_modules": ".*query"}, False),
    ({"exclude_modules": ["key"]}, True),
])
def test_tensors_are_of_the_modules_that_peft_would_adapt(adapter, changes, fits):
    change_config(adapter, **changes)
    text = text_of(adapter, code=0 if fits else 3)
    assert fits or next(iter(changes)) in text and "PEFT would not load them" in text


@pytest.mark.parametrize("name,shape,found", [
    (f"{LAYER}.query.lora_A.default.weight", (4, 16), "the adapter's name is in it"),
    (f"{LAYER}.query.lora_magnitude_vector", (16,), "a part of DoRA"),
    (f"{LAYER}.query.lora_B.bias", (16,), "a bias of B"),
    (f"{LAYER}.query.base_layer.weight", (16, 16), "a weight of the base model"),
    ("base_model.model.embeddings.word_embeddings.base_layer.weight", (32, 16), "a weight of the base model: save the adapter alone, with "
     "PEFT's save_pretrained(folder, save_embedding_layers=False)"),
    ("base_model.model.embeddings.word_embeddings.lora_embedding_A", (4, 32), "an adapter of an embedding"),
    (f"{LAYER}.query.lora_velora_embed", (4,), "a part of another kind of LoRA"),
    ("base_model.model.classifier.weight", (2, 16), "a whole layer that modules_to_save doesn't name"),
])
def test_other_tensors_are_refused_by_name(adapter, name, shape, found):
    change_tensors(adapter, lambda tensors: tensors.update({name: torch.zeros(shape)}))
    assert f"{name}: expected nothing but lora_A and lora_B of linear layers, found {found}" in text_of(adapter)


def test_only_layers_that_modules_to_save_names_are_left_out(adapter):
    extra = {"base_model.model.classifier.dense.weight": torch.zeros(2, 16), "base_model.model.other.weight": torch.zeros(2, 16)}
    change_tensors(adapter, lambda tensors: tensors.update(extra))
    change_config(adapter, modules_to_save=["classifier"])
    assert "other.weight: expected nothing but" in text_of(adapter)
    change_config(adapter, modules_to_save=["classifier", "other"])
    assert 'modules_to_save ["classifier","other"] (whole layers, as heads are) are left out' in text_of(adapter, code=0)


@pytest.mark.parametrize("before,after,found", [
    ("base_model.", "module.base_model.", "base_model.model."),
    ("base_model.model.", "base_model.model.base_model.model.", "base_model.model."),
    ("base_model.model.", "base_model.model._orig_mod.", "_orig_mod."),
    (".attention.", "._checkpoint_wrapped_module.attention.", "_checkpoint_wrapped_module."),
])
def test_names_that_a_wrapper_has_changed(adapter, before, after, found):
    path = adapter / WEIGHTS
    safetensors.torch.save_file({name.replace(before, after): values for name, values in safetensors.torch.load_file(path).items()}, path)
    assert f'expected the base model\'s own names behind base_model.model., found "{found}" among them' in text_of(adapter)


def test_halves_and_doubles(adapter, plain):
    query, value = f"{LAYER}.query", f"{LAYER}.value"
    change_tensors(adapter, lambda tensors: tensors.pop(f"{query}.lora_B.weight"))
    assert f"expected a tensor {query}.lora_B.weight, found none" in text_of(adapter)
    shutil.copy(os.path.join(plain, WEIGHTS), adapter)
    change_tensors(adapter, lambda tensors: tensors.pop(f"{value}.lora_A.weight"))
    assert f"expected a tensor {value}.lora_A.weight, found none" in text_of(adapter)
    shutil.copy(os.path.join(plain, WEIGHTS), adapter)
    change_tensors(adapter, lambda tensors: tensors.update(
        {name.removeprefix("base_model.model."): values.clone() for name, values in tensors.items()}))
    assert "has two adapters" in text_of(adapter)


def test_types_of_numbers(adapter, plain, tmp_path):
    change_tensors(adapter, lambda tensors: tensors.update(
        {name: values.to(torch.bfloat16) for name, values in tensors.items() if "lora_A" in name}))
    expect_close(merged(adapter, tmp_path), by_peft(plain), 1e-2)
    name = f"{LAYER}.query.lora_A.weight"
    change_tensors(adapter, lambda tensors: tensors.update({name: tensors[name].to(torch.float8_e4m3fn)}))
    assert f"tensor {name}: expected floats [4, 16], found F8_E4M3" in text_of(adapter)


def test_folders_that_are_no_adapter(adapter, tmp_path):
    assert "found one in its folder adapter: give that one" in text_of(tmp_path)
    assert "found a file" in text_of(adapter / WEIGHTS)
    assert "found nothing there" in text_of(tmp_path / "nowhere")
    (adapter / WEIGHTS).rename(adapter / "adapter_model.bin")
    assert "adapter_model.bin, a pickle" in text_of(adapter)
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    assert "found a whole model" in text_of(model)


def test_base_models_are_compared(adapter, plain):
    change_config(adapter, base_model_name_or_path=None)
    assert "adapter doesn't name its base model (base_model_name_or_path): taken to be that of" in text_of(plain, adapter, code=0)
    change_config(adapter, base_model_name_or_path="someone/tiny-bert", revision="v2")
    assert "two revisions of someone/tiny-bert: adapter on the default, adapter on v2" in text_of(plain, adapter, code=0)

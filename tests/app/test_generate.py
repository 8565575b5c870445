"""palimpsest generate: what transformers writes after the same prompts with the same weights."""

import json
import os
import pathlib
import subprocess
import sys

import h5py
import pytest
import toy as toy_module
import torch
import transformers
from program import INSPECT, PROGRAM, ROOT, Toy
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

GENERATE = os.path.join(ROOT, "tools", "palimpsest-generate")
PACK = os.path.join(ROOT, "tools", "palimpsest-pack")
EXPORT = os.path.join(os.path.dirname(INSPECT), "palimpsest-export")
MERGE = os.path.join(os.path.dirname(INSPECT), "palimpsest-merge")
SMOLLM2 = pathlib.Path(ROOT, "data", "smollm2")
POSITIONS = 32
BEGIN, END = "<|begin|>", "<|end|>"
WORDS = ["[UNK]", "user", "assistant", "plus", "is", *"zero one two three four five six seven eight nine ten eleven".split()]
TEMPLATE = (
    "{% for message in messages %}{{ '<|begin|>' + message.role + ' ' + message.content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|begin|>assistant ' }}{% endif %}"
)
PAIRS = [(f"{WORDS[5 + i]} plus {WORDS[5 + j]}", WORDS[5 + i + j]) for i in range(6) for j in range(6)]


def save_tokenizer(folder):
    """A token a word."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in (BEGIN, END)])
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "chat_template": TEMPLATE}
    pathlib.Path(folder, "tokenizer_config.json").write_text(json.dumps(settings))


def pack_pairs(folder, pairs, tokenizer):
    """pack.h5 and protocol.json of one task."""
    rows = os.path.join(folder, "sums.jsonl")
    pathlib.Path(rows).write_text("".join(json.dumps({"prompt": prompt, "completion": answer}) + "\n" for prompt, answer in pairs))
    pack, protocol = (os.path.join(folder, name) for name in ("pack.h5", "protocol.json"))
    for arguments in (["chat", rows, "--tokenizer", tokenizer, "--out", pack], ["protocol", "--pack", pack, "--name", "sums", "--out", protocol]):
        subprocess.run([sys.executable, PACK, *map(str, arguments)], check=True, capture_output=True)


def make_sums(folder):
    backbone = os.path.join(folder, "backbone")
    toy_module.make_decoder_backbone(backbone, vocabulary=len(WORDS) + 2, positions=POSITIONS)
    save_tokenizer(backbone)
    pack_pairs(folder, PAIRS, backbone)
    of_tokens = {"objective": "next-token", "head": "output", "classifier": "none", "batch": 16, "epochs": 20, "lr": "2e-2"}
    of_tokens["adapter"] = "lora:rank=4,alpha=4,targets=query+key+value+output+gate+up+down"
    toy_module.write_config(os.path.join(folder, "toy.cfg"), toy_module.settings(folder) | of_tokens)


@pytest.fixture(scope="module")
def sums(tmp_path_factory):
    made = Toy(str(tmp_path_factory.mktemp("sums") / "toy"), make_sums)
    made.run(out="run")
    return made


def generate(*arguments, code=0, environment=None, cwd=None):
    """(output, errors)."""
    done = subprocess.run([sys.executable, GENERATE, *map(str, arguments)], capture_output=True, text=True, timeout=300, cwd=cwd, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def completions(*arguments):
    out, err = generate(*arguments, "--json")
    assert err == ""
    return json.loads(out)["completions"]


def chat_ids(tokenizer, prompt):
    messages = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)


def greedy(model, ids, limit, end):
    prompt = torch.tensor([ids])
    written = model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=limit, do_sample=False, eos_token_id=end, pad_token_id=0
    )
    return written[0, len(ids) :].tolist()


def merged_model(sums):
    model = transformers.AutoModelForCausalLM.from_pretrained(sums.path("backbone")).eval()
    with h5py.File(sums.path("runs", "run", "state-0000.h5"), locking=False) as state, torch.no_grad():
        for module, values in state["weights"].items():
            model.model.get_submodule(module).weight.add_(torch.from_numpy(values[:]))
    return model


def test_texts_are_those_that_transformers_writes(sums, tmp_path):
    prompts = [prompt for prompt, _ in PAIRS] + ["nine", "plus plus two is"]
    (tmp_path / "prompts.txt").write_text("\n\n".join(prompts[1:]) + "\n")
    found = completions("--weights", sums.path("runs", "run"), "--prompt", prompts[0], "--prompts", tmp_path / "prompts.txt", "--limit", 4)
    model, tokenizer = merged_model(sums), transformers.AutoTokenizer.from_pretrained(sums.path("backbone"))
    end = tokenizer.convert_tokens_to_ids(END)
    assert [one["prompt"] for one in found] == prompts
    for one in found:
        expected = greedy(model, chat_ids(tokenizer, one["prompt"]), 4, end)
        assert one["tokens"] == expected and one["ended"] == (expected[-1] == end)
        assert one["text"] == tokenizer.decode(expected[:-1] if one["ended"] else expected)
    assert any(one["ended"] for one in found)
    right = sum(one["text"] == answer for one, (_, answer) in zip(found, PAIRS))
    assert right > 12, "the run has learned nothing"


def test_without_a_template_prompts_are_taken_as_they_are(sums):
    (found,) = completions("--weights", sums.path("runs", "run"), "--prompt", "two plus three", "--template", "none", "--limit", 3)
    tokenizer = transformers.AutoTokenizer.from_pretrained(sums.path("backbone"))
    ids = tokenizer("two plus three")["input_ids"]
    assert found["tokens"] == greedy(merged_model(sums), ids, 3, tokenizer.convert_tokens_to_ids(END))


def test_states_and_merged_files_are_weights_too(sums, tmp_path):
    prompt = ["--prompt", "one plus two", "--limit", 3]
    of_run = completions("--weights", sums.path("runs", "run"), *prompt)
    assert completions("--weights", sums.path("runs", "run", "state-0000.h5"), *prompt) == of_run
    merged = tmp_path / "merged.h5"
    subprocess.run([MERGE, sums.path("runs", "run"), "--rule", "average", "--out", merged], check=True, capture_output=True)
    assert "Give --backbone FOLDER" in generate("--weights", merged, *prompt, code=3)[1]
    assert completions("--weights", merged, "--backbone", sums.path("backbone"), *prompt) == of_run


def test_merged_adapters_say_which_matrices_they_change(sums, tmp_path):
    """Of all seven, where an adapter is on key and value unless settings say otherwise."""
    adapter, merged = tmp_path / "adapter", tmp_path / "merged.h5"
    for command in ([EXPORT, sums.path("runs", "run"), "--format", "peft", "--out", adapter], [MERGE, "--adapters", adapter, "--rule", "average", "--out", merged]):
        subprocess.run(command, check=True, capture_output=True)
    prompts = [word for prompt, _ in PAIRS[:9] for word in ("--prompt", prompt)]
    found = completions("--weights", merged, "--backbone", sums.path("backbone"), *prompts, "--limit", 3)
    of_run = completions("--weights", sums.path("runs", "run"), *prompts, "--limit", 3)
    assert [one["tokens"] for one in found] == [one["tokens"] for one in of_run]


def test_text_for_people(sums):
    out, err = generate("--weights", sums.path("runs", "run"), "--prompt", "one plus\ntwo", "--prompt", "two", "--limit", 1)
    first, second = out.split("\n\n")
    assert err == "" and first.startswith("> one plus\n> two\n") and second.startswith("> two\n")
    assert "[cut after 1 token; --limit sets it]" in out


def test_the_limit_is_what_fits_where_none_is_given(sums):
    (found,) = completions("--weights", sums.path("runs", "run"), "--prompt", "nine " * 22)
    assert len(found["tokens"]) <= POSITIONS - 27  # <|begin|> user ... <|end|> <|begin|> assistant


def test_what_cannot_be_continued_is_refused(sums, toy, reference_run, tmp_path):
    run = sums.path("runs", "run")

    def refused(*arguments, code=3, **more):
        return generate(*arguments, code=code, **more)[1]

    assert "expected a prompt, found none" in refused("--weights", run, code=2)
    assert "prompt 2: expected a text, found only blanks" in refused("--weights", run, "--prompt", "one", "--prompt", " \n")
    assert "prompt 1: expected a text, found an empty one" in refused("--weights", run, "--prompt", "")
    text = refused("--weights", run, "--prompt", "two", "--prompt", "nine " * 22, "--limit", 8)
    assert "prompt 2: expected at most 24 tokens, found 27, including the tokens of the template" in text and "32 positions, and 8 of them" in text and "lower --limit" in text
    assert "for new tokens. Shorten the prompt\n" in refused("--weights", run, "--prompt", "nine " * 30)
    assert "expected a run with objective = next-token, found classes" in refused("--weights", reference_run, "--prompt", "one")
    assert "found nothing there" in refused("--weights", tmp_path / "no", "--prompt", "one")
    assert "a run.json with the path of the backbone" in refused("--weights", tmp_path, "--prompt", "one")
    assert "expected the backbone's tokenizer.json" in refused("--weights", run, "--backbone", toy.path("backbone"), "--prompt", "one")
    (tmp_path / "empty.txt").write_text("\n \n")
    assert "empty.txt: expected one prompt per line, found none" in refused("--weights", run, "--prompts", tmp_path / "empty.txt")
    text = refused("--weights", run, "--prompt", "one", environment=os.environ | {"PALIMPSEST": str(tmp_path / "no")})
    assert "PALIMPSEST: expected the path of the program palimpsest, found" in text


def test_the_program_is_found_or_said_to_be_missing(sums, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PALIMPSEST"}
    script = tmp_path / "tools" / "palimpsest-generate"
    script.parent.mkdir()
    script.write_text(pathlib.Path(GENERATE).read_text())
    (tmp_path / "tools" / "python").symlink_to(os.path.join(ROOT, "tools", "python"))
    command = [sys.executable, script, "--weights", sums.path("runs", "run"), "--prompt", "one", "--limit", "2"]

    def call(path):
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, env=environment | {"PATH": path})

    done = call("/usr/bin:/bin")
    assert done.returncode == 3 and "the program palimpsest was not found in build/release/src" in done.stderr
    assert call(f"{os.path.dirname(PROGRAM)}:/usr/bin:/bin").returncode == 0
    (script.parent / "palimpsest").symlink_to(PROGRAM)
    assert call("/usr/bin:/bin").returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not SMOLLM2.is_dir(), reason="no data/smollm2: launch/setup.sh --smollm2, then palimpsest pack backbone smollm2 --out data/smollm2")
def test_smollm2_writes_what_transformers_writes(tmp_path):
    """Or another token where the two likeliest are as good as equal. The run leaves the pretrained weights as they are."""
    pack_pairs(tmp_path, PAIRS[:10], SMOLLM2)
    data = {"pack": tmp_path / "pack.h5", "protocol": tmp_path / "protocol.json", "backbone": SMOLLM2, "out": tmp_path / "run"}
    given = [word for name, value in data.items() for word in (f"--{name}", str(value))]
    frozen = ["--objective", "next-token", "--head", "output", "--classifier", "none", "--adapter", "none", "--perturbation", "none", "--merge", "none"]
    subprocess.run([PROGRAM, "train", *given, *frozen, "--epochs", "1", "--progress", "none"], check=True, capture_output=True, timeout=300)
    subjects = ("rivers", "the number seven", "copper", "a good breakfast", "Norway", "chess", "the moon", "bread", "winter", "statistics")
    questions = ("What do you know about {}?", "Write one sentence about {}.", "List three facts about {}.", "Translate '{}' into French.", "Write a poem about {}.")
    prompts = [question.format(subject) for question in questions for subject in subjects]
    (tmp_path / "prompts.txt").write_text("\n".join(prompts))
    limit = 24
    found = completions("--weights", tmp_path / "run", "--prompts", tmp_path / "prompts.txt", "--limit", limit)
    model = transformers.AutoModelForCausalLM.from_pretrained(SMOLLM2, dtype="float32").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(SMOLLM2)
    assert len(found) == 50
    equal = 0
    for one in found:
        ids = chat_ids(tokenizer, one["prompt"])
        expected = greedy(model, ids, limit, tokenizer.eos_token_id)
        if one["tokens"] == expected:
            assert one["text"] == tokenizer.decode(expected, skip_special_tokens=True)
            equal += 1
            continue
        same = next(i for i, pair in enumerate(zip(one["tokens"], expected)) if pair[0] != pair[1])
        with torch.no_grad():
            logits = model(torch.tensor([[*ids, *expected[:same]]])).logits[0, -1]
        best, second = logits.topk(2).values.tolist()
        assert best - second < 1e-4, one
    assert equal > 40

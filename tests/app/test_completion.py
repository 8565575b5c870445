"""Completion as a shell does it: verbs, settings and choices, and every option that a --help lists."""

import os
import re
import shutil
import subprocess

import pytest

from program import PROGRAM

VERBS = ["train", "plan", "doctor", "pack", "inspect", "report", "diff", "verify", "eval", "predict", "generate", "merge", "export"]
VERBS_WITH_SETTINGS = ["train", "plan", "doctor", "eval", "predict", "generate"]
TOOLS = os.path.join(os.path.dirname(os.path.dirname(PROGRAM)), "tools")
BASH = """
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
[[ $(complete -p "${1##*/}") == *_palimpsest* ]] || exit 1
_palimpsest
printf '%s\\n' "${COMPREPLY[@]}"
"""
# An interactive zsh in which compadd prints what it adds, at a terminal that a second one plays.
ZSHRC = r"""
PROMPT= fpath=($ZDOTDIR $fpath)
autoload -Uz compinit && compinit -u -D
bindkey '^I' complete-word
finish() { print -r '<end>' }
comppostfuncs=(finish)
compadd() {
  local -a hits
  if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
    builtin compadd -A hits "$@"
    (( $#hits )) && print -rl -- "<${(@)^hits}>"
  fi
  builtin compadd "$@"
}
"""
ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -i
zpty -w -n shell "$1"$'\t'
zpty -r shell text '*<end>*'
print -r -- "$text"
zpty -d shell
"""


def bash(folder, *words):
    command = ["bash", "-c", BASH, "bash", os.path.join(TOOLS, "completion.bash"), *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=20)
    assert done.returncode == 0, done.stderr
    assert done.stderr.replace("compopt: not currently executing completion function", "").count("error") == 0
    return done.stdout.split()


def zsh(folder, line):
    shutil.copy(os.path.join(TOOLS, "completion.zsh"), folder / "_palimpsest")
    (folder / ".zshrc").write_text(ZSHRC)
    done = subprocess.run(["zsh", "-f", "-c", ZSH, "zsh", line], capture_output=True, text=True, cwd=folder, timeout=20,
                          env=os.environ | {"ZDOTDIR": str(folder), "TERM": "dumb"})
    assert done.returncode == 0, done.stdout + done.stderr
    return [hit for hit in re.findall(r"<([^<>]+)>", done.stdout) if hit != "end"]


def test_bash_completes_verbs_settings_and_choices(tmp_path):
    (tmp_path / "pack.h5").touch()
    targets = [f"targets={name}" for name in ("query", "key", "value", "output", "fc1", "fc2", "gate", "up", "down")]
    assert bash(tmp_path, "palimpsest", "") == ["help", *VERBS]
    assert bash(tmp_path, "palimpsest", "help", "ins") == ["inspect"]
    assert bash(tmp_path, "palimpsest", "tr") == ["train"]
    assert bash(tmp_path, "build/src/palimpsest", "train", "--adap") == ["--adapter"]
    assert bash(tmp_path, "palimpsest", "train", "--adapter", "") == ["lora", "none"]
    assert bash(tmp_path, "palimpsest", "train", "--adapter", "=", "l") == ["lora"]
    assert bash(tmp_path, "palimpsest", "train", "--adapter", "=") == ["lora", "none"]
    assert bash(tmp_path, "palimpsest", "train", "--adapter", "lora", ":") == ["rank=", "alpha=", *targets, "a=kaiming", "a=covariance", "tasks="]
    assert bash(tmp_path, "palimpsest", "train", "--curvature", "=", "gram", ":", "scale", "=", "s") == ["secant"]
    assert bash(tmp_path, "palimpsest", "train", "--adapter", "lora", ":", "rank", "=", "4,al") == ["4,alpha="]
    assert bash(tmp_path, "palimpsest", "train", "--pack", "p") == ["pack.h5"]
    assert bash(tmp_path, "palimpsest", "train", "--seed", "") == []
    assert bash(tmp_path, "palimpsest", "train", "--tensorboard", "f") == ["false"]
    assert bash(tmp_path, "palimpsest", "train", "--dry-run", "--adap") == ["--adapter"]
    assert "closed-form" in bash(tmp_path, "palimpsest", "train", "--merge", "")
    assert bash(tmp_path, "palimpsest", "eval", "--split", "") == ["test", "validation", "train"]
    assert "h100" in bash(tmp_path, "palimpsest", "plan", "--machine", "h")
    for merge, export, pack in ((["palimpsest", "merge"], ["palimpsest", "export"], ["palimpsest", "pack"]), (["palimpsest-merge"], ["palimpsest-export"], ["palimpsest-pack"])):
        assert bash(tmp_path, *merge, "") == ["pack.h5"]
        assert bash(tmp_path, *merge, "p", "--rule", "ema", ":") == ["rate="]
        assert bash(tmp_path, *export, "p", "--format", "") == ["safetensors", "peft"]
        assert bash(tmp_path, *pack, "") == ["backbone", "debian", "wordnet", "glyphs", "instructions", "images", "texts", "chat", "protocol", "show"]
        assert bash(tmp_path, *pack, "show", "p") == ["pack.h5"]
    assert bash(tmp_path, "palimpsest", "--") == ["--help", "--version"]


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "pack"])
def test_what_a_help_lists_is_completed_and_nothing_else(verb, tmp_path):
    def help_of(*words):
        return subprocess.run([PROGRAM, verb, *words], capture_output=True, text=True, timeout=60, check=True).stdout

    text = help_of("--help", "all") if verb == "train" else help_of("--help")
    if verb == "generate":
        text += help_of("--prompt", "text", "--help")
    completed = set(bash(tmp_path, "palimpsest", verb, "--")) - {"--help"}
    listed = set(re.findall(r"^[ *]+(?:palimpsest .* )?(--[a-z][a-z-]+)", text, re.MULTILINE)) - {"--help"}
    assert listed <= completed
    settings = set(bash(tmp_path, "palimpsest", "train", "--")) if verb in VERBS_WITH_SETTINGS else set()
    assert {name for name in completed - settings if name not in text} == set()


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh on this machine")
def test_zsh_completes_the_same(tmp_path):
    (tmp_path / "pack.h5").touch()
    assert zsh(tmp_path, "palimpsest ")[: len(VERBS) + 1] == ["help", *VERBS]
    assert zsh(tmp_path, "palimpsest train --adapter ") == ["lora", "none"]
    assert zsh(tmp_path, "palimpsest train --adapter=") == ["lora", "none"]
    assert zsh(tmp_path, "palimpsest train --curvature gram:") == ["gram:scale=none", "gram:scale=trace", "gram:scale=secant"]
    assert zsh(tmp_path, "palimpsest train --adapter lora:rank=4,al") == ["lora:rank=4,alpha="]
    assert zsh(tmp_path, "palimpsest train --pack p") == ["pack.h5"]
    assert zsh(tmp_path, "palimpsest train --tensorboard f") == ["false"]
    assert zsh(tmp_path, "palimpsest eval --split v") == ["validation"]
    assert zsh(tmp_path, "palimpsest-export --format p") == ["peft"]
    assert zsh(tmp_path, "palimpsest export --format p") == ["peft"]
    assert "--adapter" in zsh(tmp_path, "palimpsest train --")
    assert "h100" in zsh(tmp_path, "palimpsest plan --machine h")

"""Completion as a shell does it: verbs, settings and choices, and every option that a --help lists."""

import os
import re
import shutil
import subprocess

import pytest

from program import PROGRAM, REPORT

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
    assert bash(tmp_path, "palimpsest", "") == ["train", "eval", "predict", "generate", "plan", "doctor"]
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
    assert bash(tmp_path, "palimpsest-merge", "") == ["pack.h5"]
    assert bash(tmp_path, "palimpsest-export", "p", "--format", "") == ["safetensors", "peft"]
    assert bash(tmp_path, "palimpsest-pack", "") == ["backbone", "debian", "wordnet", "glyphs", "instructions", "images", "texts", "chat", "protocol", "show"]
    assert bash(tmp_path, "palimpsest-pack", "show", "p") == ["pack.h5"]
    assert bash(tmp_path, "palimpsest-merge", "p", "--rule", "ema", ":") == ["rate="]
    assert bash(tmp_path, "palimpsest", "--") == ["--help", "--version"]


@pytest.mark.parametrize("command", ["palimpsest train", "palimpsest eval", "palimpsest predict", "palimpsest generate", "palimpsest plan", "palimpsest doctor", "palimpsest-inspect",
                                     "palimpsest-diff", "palimpsest-verify", "palimpsest-merge", "palimpsest-export", "palimpsest-report", "palimpsest-generate"])
def test_what_a_help_lists_is_completed_and_nothing_else(command, tmp_path):
    program, *verb = command.split()
    path = PROGRAM if verb else os.path.join(TOOLS, program)
    if program in ("palimpsest-report", "palimpsest-generate"):
        path = [*REPORT[:-1], os.path.join(os.path.dirname(REPORT[-1]), program)]
    else:
        path = [path]
    text = subprocess.run([*path, *verb, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    completed = set(bash(tmp_path, program, *verb, "--")) - {"--help"}
    listed = set(re.findall(r"^[ *]+(?:palimpsest-.* )?(--[a-z][a-z-]+)", text, re.MULTILINE)) - {"--help"}
    assert listed <= completed
    settings = set(bash(tmp_path, "palimpsest", "train", "--")) if verb else set()
    assert {name for name in completed - settings if name not in text} == set()


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh on this machine")
def test_zsh_completes_the_same(tmp_path):
    (tmp_path / "pack.h5").touch()
    assert zsh(tmp_path, "palimpsest ")[:6] == ["train", "eval", "predict", "generate", "plan", "doctor"]
    assert zsh(tmp_path, "palimpsest train --adapter ") == ["lora", "none"]
    assert zsh(tmp_path, "palimpsest train --adapter=") == ["lora", "none"]
    assert zsh(tmp_path, "palimpsest train --curvature gram:") == ["gram:scale=none", "gram:scale=trace", "gram:scale=secant"]
    assert zsh(tmp_path, "palimpsest train --adapter lora:rank=4,al") == ["lora:rank=4,alpha="]
    assert zsh(tmp_path, "palimpsest train --pack p") == ["pack.h5"]
    assert zsh(tmp_path, "palimpsest train --tensorboard f") == ["false"]
    assert zsh(tmp_path, "palimpsest eval --split v") == ["validation"]
    assert zsh(tmp_path, "palimpsest-export --format p") == ["peft"]
    assert "--adapter" in zsh(tmp_path, "palimpsest train --")
    assert "h100" in zsh(tmp_path, "palimpsest plan --machine h")

"""Sequential LoRA on a decoder that predicts completions, with transformers and PEFT, in a plain loop; started as ddp.py."""

import torch
import torch.distributed as dist
import transformers
from torch import nn
from torch.nn import functional as F

import loop
import report
import settings as flags
import stream
from peft_trainer import with_adapter


class Padded(nn.Module):
    """As it comes: the logits of all tokens of a padded batch."""

    attention = "sdpa"

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask):
        return self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits.flatten(0, 1)

    @staticmethod
    def collate(split, positions, device):
        """Inputs, and of every token the next one where it is predicted."""
        ids, mask = stream.pad([split.samples[i] for i in positions])
        targets, _ = stream.pad([next_tokens(split.targets[i]) for i in positions], stream.UNPREDICTED)
        return (ids.to(device), mask.to(device)), targets.flatten().to(device)


class Packed(Padded):
    """Tuned: sequences one after another without padding, and the logits of the tokens before those that are predicted."""

    attention = "by_sequence"

    def forward(self, ids, places, lengths, rows):
        output = self.model(input_ids=ids, position_ids=places, lengths=lengths, logits_to_keep=rows, use_cache=False)
        return output.logits[0]

    @staticmethod
    def collate(split, positions, device):
        samples = [split.samples[i] for i in positions]
        lengths = [len(sample) for sample in samples]
        places = torch.cat([torch.arange(length) for length in lengths])
        targets = torch.cat([next_tokens(split.targets[i]) for i in positions])
        rows = torch.nonzero(targets != stream.UNPREDICTED)[:, 0]
        ids = torch.cat(samples)
        return (ids[None].to(device), places[None].to(device), lengths, rows.to(device)), targets[rows].to(device)


def next_tokens(labels):
    return F.pad(labels[1:], (0, 1), value=stream.UNPREDICTED)


def by_sequence(module, query, key, value, mask, scaling, lengths, **_):
    """An attention of transformers in which each of the sequences attends to itself."""
    parts = zip(*(states.split(lengths, dim=2) for states in (query, key, value)))
    attended = [F.scaled_dot_product_attention(*p, is_causal=True, scale=scaling, enable_gqa=True) for p in parts]
    return torch.cat(attended, dim=2).transpose(1, 2), None


@torch.no_grad()
def evaluate(model, tasks, device):
    """(samples, exact) by task: the samples all of whose completions greedy decoding writes."""
    exact = torch.zeros(len(tasks), dtype=torch.int64, device=device)
    for j, task in enumerate(tasks):
        for i in range(dist.get_rank(), len(task.test), dist.get_world_size()):
            inputs, targets = model.collate(task.test, [i], device)
            exact[j] += ((model(*inputs).argmax(1) == targets) | (targets == stream.UNPREDICTED)).all()
    dist.all_reduce(exact)
    return [len(task.test) for task in tasks], exact.tolist()


def learn(model, form, tasks, settings, device, lines):
    """The last of `tasks`; returns the model with the adapter merged in, and (samples, exact)."""
    task = tasks[-1]
    adapted, set_scale = with_adapter(model, settings, task)
    adapter = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    loop.train(form(adapted), adapter, [], set_scale, task, settings, device, lines, form.collate)
    merged = adapted.merge_and_unload()
    with flags.autocast(settings):
        row = evaluate(form(merged), tasks, device)
    lines.write("evaluated", task=task.index, after_merge=True, samples=row[0], exact_match=row[1])
    return merged, row


def main():
    settings = flags.parser(__doc__).parse_args()
    device = flags.start(settings)
    lines = report.Report(settings.out)
    tasks = stream.read_tasks(settings, device)
    transformers.AttentionInterface.register("by_sequence", by_sequence)
    form = Packed if settings.packed else Padded
    model = transformers.AutoModelForCausalLM.from_pretrained(
        settings.backbone, dtype=torch.float32, attn_implementation=form.attention
    ).to(device)
    rows = []
    for task in tasks:
        model, row = learn(model, form, tasks[: task.index + 1], settings, device, lines)
        rows.append(row)
    lines.finish(rows)


if __name__ == "__main__":
    main()

"""Sequential LoRA with transformers and PEFT, in a plain loop; started as ddp.py."""

import math
import os

import peft
import torch
import transformers
from torch import nn

import draws
import loop
import report
import settings as flags
import stream
from backbones import fresh_head
from evaluation import evaluate

TARGETS = {
    "bert": ["key", "value"],
    "vit": ["k_proj", "v_proj"],
    "dinov2": ["k_proj", "v_proj"],
    "llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}


class Features(nn.Module):
    """The mean over the tokens for texts, the class token for images, of transformers' model with PEFT's adapter."""

    def __init__(self, model, colours):
        super().__init__()
        self.model, self.colours = model, colours

    def forward(self, inputs, mask=None):
        if mask is None:
            mean, deviation = self.colours
            return self.model(pixel_values=(inputs - mean) / deviation).last_hidden_state[:, 0]
        states = self.model(input_ids=inputs, attention_mask=mask).last_hidden_state
        kept = mask.unsqueeze(2).to(states.dtype)
        return (states * kept).sum(1) / kept.sum(1)


class Classifier(nn.Module):
    def __init__(self, features, head):
        super().__init__()
        self.features, self.head = features, head

    def forward(self, *inputs):
        return self.head(self.features(*inputs))


def colours_of(folder, device):
    """Mean and deviation of the colours in pretraining, of 255; None for texts."""
    if not os.path.exists(os.path.join(folder, "preprocessor_config.json")):
        return None
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    values = (processor.image_mean, processor.image_std)
    return [255 * torch.tensor(value, device=device).view(3, 1, 1) for value in values]


def with_adapter(model, settings, task):
    """(model with a fresh adapter of palimpsest's first numbers, what sets the adapter's scale)."""
    rank = settings.lora_rank
    config = peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS[model.config.model_type], bias="none")
    adapted = peft.get_peft_model(model, config)
    layers = {name: module for name, module in adapted.named_modules() if isinstance(module, peft.tuners.lora.Linear)}
    for i, name in enumerate(sorted(layers)):
        factor = layers[name].lora_A["default"].weight
        bound = 1 / math.sqrt(factor.shape[1])
        with torch.no_grad():
            factor.copy_(draws.uniform(factor.shape, bound, settings.seed, draws.ADAPTER, task.index, i))

    def set_scale(c):
        for layer in layers.values():
            layer.scaling["default"] = c

    return adapted.eval(), set_scale


def learn(model, colours, tasks, heads, settings, device, lines):
    """The last of `tasks`; returns the model with the adapter merged in, and (samples, correct)."""
    task = tasks[-1]
    adapted, set_scale = with_adapter(model, settings, task)
    features = Features(adapted, colours).to(device)
    head = fresh_head(task.classes, model.config.hidden_size, settings.seed, task.index).to(device)
    adapter = [parameter for parameter in features.parameters() if parameter.requires_grad]
    loop.train(Classifier(features, head), adapter, head.parameters(), set_scale, task, settings, device, lines)
    heads.append(head)
    merged = adapted.merge_and_unload()
    with flags.autocast(settings):
        row = evaluate(Features(merged, colours), tasks, heads, settings.evaluation_batch, device)
    lines.write("evaluated", task=task.index, after_merge=True, samples=row[0], correct=row[1])
    return merged, row


def main():
    settings = flags.parser(__doc__).parse_args()
    device = flags.start(settings)
    lines = report.Report(settings.out)
    tasks = stream.read_tasks(settings, device)
    model = transformers.AutoModel.from_pretrained(settings.backbone).to(device)
    model.pooler = None  # its output isn't used
    colours, heads, rows = colours_of(settings.backbone, device), [], []
    for task in tasks:
        model, row = learn(model, colours, tasks[: task.index + 1], heads, settings, device, lines)
        rows.append(row)
    lines.finish(rows)


if __name__ == "__main__":
    main()

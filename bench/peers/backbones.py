"""The pretrained transformers of ddp.py, with LoRA on key and value and a head for one task."""

import json
import math
import os

import timm
import torch
from timm.data import resolve_model_data_config
from torch import nn

import draws
from lora import AdaptedAttention, AdaptedLinear


class Texts(nn.Module):
    """A BERT; the feature is the mean over the tokens of the last layer."""

    def __init__(self, folder, rank, c):
        super().__init__()
        import transformers  # of texts alone

        self.bert = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="sdpa")
        self.bert.requires_grad_(False).to(c.device)
        self.adapters, self.weights = [], []  # in the order of palimpsest's names
        for layer in by_name(self.bert.encoder.layer):
            attention = layer.attention.self
            for part in ("key", "value"):
                adapted = AdaptedLinear(getattr(attention, part), rank, c)
                setattr(attention, part, adapted)
                self.adapters.append(adapted.lora)
                self.weights.append(adapted.frozen.weight)
        self.width = self.bert.config.hidden_size

    def forward(self, ids, mask):
        states = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        kept = mask.unsqueeze(2).to(states.dtype)
        return (states * kept).sum(1) / kept.sum(1)


class Images(nn.Module):
    """A vision transformer of timm; the feature is the class token."""

    def __init__(self, folder, rank, c, image_size):
        super().__init__()
        self.vit = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0, img_size=image_size)
        self.vit.requires_grad_(False).to(c.device)
        self.adapters, self.weights = [], []
        for block in by_name(self.vit.blocks):
            block.attn = AdaptedAttention(block.attn, rank, c)
            self.adapters += [block.attn.key, block.attn.value]
            self.weights += block.attn.qkv.weight.chunk(3)[1:]
        self.width = self.vit.num_features
        colours = resolve_model_data_config(self.vit)
        for name in ("mean", "std"):
            self.register_buffer(name, 255 * torch.tensor(colours[name], device=c.device).view(3, 1, 1))

    def forward(self, images):
        return self.vit((images - self.mean) / self.std)


def by_name(blocks):
    """Blocks in byte order of their names: 0, 1, 10, 11, 2, ..."""
    return [blocks[i] for i in sorted(range(len(blocks)), key=str)]


class Learner(nn.Module):
    """Backbone, adapters and the head of the current task."""

    def __init__(self, settings, device):
        super().__init__()
        self.c = torch.ones((), device=device)
        with open(os.path.join(settings.backbone, "config.json")) as file:
            is_bert = json.load(file).get("model_type") == "bert"
        arguments = () if is_bert else (settings.image_size,)
        self.backbone = (Texts if is_bert else Images)(settings.backbone, settings.lora_rank, self.c, *arguments)
        self.backbone.eval()  # no dropout

    def start_task(self, seed, task, classes):
        """A fresh adapter and a fresh head, with palimpsest's numbers."""
        with torch.no_grad():
            for i, adapter in enumerate(self.backbone.adapters):
                bound = 1 / math.sqrt(adapter.A.shape[1])
                adapter.A.copy_(draws.uniform(adapter.A.shape, bound, seed, draws.ADAPTER, task, i))
                adapter.B.zero_()
        self.head = fresh_head(classes, self.backbone.width, seed, task).to(self.c.device)

    def forward(self, *inputs):
        return self.head(self.backbone(*inputs))

    def adapter_parameters(self):
        return [p for p in self.backbone.parameters() if p.requires_grad]

    @torch.no_grad()
    def take_out(self):
        """The task vector by module; the adapter is zero afterwards."""
        deltas = [adapter.delta() for adapter in self.backbone.adapters]
        for adapter in self.backbone.adapters:
            adapter.B.zero_()
        return deltas

    @torch.no_grad()
    def add(self, deltas, share):
        for weight, delta in zip(self.backbone.weights, deltas):
            weight.add_(delta, alpha=share)


def fresh_head(classes, width, seed, task):
    head = nn.Linear(width, classes)
    with torch.no_grad():
        for i, parameter in enumerate((head.weight, head.bias)):
            parameter.copy_(draws.uniform(parameter.shape, 1 / math.sqrt(width), seed, draws.HEAD, task, i))
    return head

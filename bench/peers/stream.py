"""The tasks of a stream, from the pack and the protocol that palimpsest reads (checkpoints_schema/)."""

import dataclasses
import json

import h5py
import numpy as np
import torch

import draws

UNPREDICTED = -100  # the label of a token that isn't predicted; PyTorch's cross-entropy leaves it out


@dataclasses.dataclass
class Split:
    samples: list  # token ids of each text; or an image each, uint8 [3, height, width]; on a GPU one tensor of all images
    targets: torch.Tensor | list  # the class of each; of sequences, the labels of each one's tokens

    def __len__(self):
        return len(self.samples)

    def weight(self, positions):
        """What the loss of these samples is a mean over: the samples; of sequences, the tokens that are predicted."""
        if isinstance(self.targets, list):
            return sum(int((self.targets[i] != UNPREDICTED).sum()) for i in positions)
        return len(positions)


@dataclasses.dataclass
class Task:
    index: int
    classes: int
    train: Split
    test: Split


def _sample(file, offsets, shape, i):
    data = file["bytes"][offsets[i] : offsets[i + 1]]
    if len(shape[i]) == 1:
        return torch.from_numpy(data.view("<i4").astype(np.int64))
    return torch.from_numpy(data.reshape(shape[i])).permute(2, 0, 1)


def _labels(file, ids, i):
    labels = torch.full_like(ids, UNPREDICTED)
    first, last = file["completion_offsets"][i : i + 2]
    for begin, end in file["completions"][first:last]:
        labels[begin:end] = ids[begin:end]
    return labels


def read_tasks(settings, device):
    """Images lie on a GPU from now on, so that no step waits for them."""
    with open(settings.protocol) as file:
        protocol = json.load(file)
    with h5py.File(settings.pack) as file:
        labels, split, offsets, shape = (file[name][()] for name in ("labels", "split", "offsets", "shape"))
        names = [name.decode() for name in file["classes"][()]]
        take = {0: protocol["train_per_class"] or None, 1: protocol["test_per_class"] or None}

        def read(classes, side):
            samples, targets, places = [], [], []
            for target, name in enumerate(classes):
                found = np.flatnonzero((labels == names.index(name)) & (split == side))[: take[side]]
                samples += [_sample(file, offsets, shape, i) for i in found]
                targets += [target] * len(found)
                places += list(found)
            if "completions" in file:
                return Split(samples, [_labels(file, ids, i) for ids, i in zip(samples, places)])
            if device.type == "cuda" and samples[0].dim() > 1:
                return Split(torch.stack(samples).pin_memory().to(device), torch.tensor(targets, device=device))
            return Split(samples, torch.tensor(targets))

        tasks = protocol["tasks"][: settings.tasks or None]
        return [
            Task(i, len(task["classes"]), read(task["classes"], 0), read(task["classes"], 1))
            for i, task in enumerate(tasks)
        ]


def steps_per_pass(settings, task):
    return -(-len(task.train) // settings.batch)


class Batches:
    """The batches of a task: which positions of a step are this rank's, and those of all ranks."""

    def __init__(self, settings, task, rank, world_size):
        self.settings, self.task, self.rank, self.world_size = settings, task, rank, world_size
        self.order = []

    def __call__(self, step):
        one_pass, place = divmod(step, steps_per_pass(self.settings, self.task))
        if place == 0:
            self.order = draws.permutation(len(self.task.train), self.settings.seed, self.task.index, one_pass)
        batch = self.order[place * self.settings.batch : (place + 1) * self.settings.batch]
        if not self.settings.packed:
            return batch[self.rank :: self.world_size], batch
        ordered, both = sorted(batch, key=lambda i: len(self.task.train.samples[i])), 2 * self.world_size
        return ordered[self.rank :: both] + ordered[both - 1 - self.rank :: both], batch


def chunks(split, size):
    """All samples in chunks; texts by length, so that there is little to pad."""
    order = sorted(range(len(split)), key=lambda i: split.samples[i].shape[-1])
    return [order[first : first + size] for first in range(0, len(order), size)]


def pad(samples, value=0):
    """One tensor, padded to the longest; and a mask, true where a token is."""
    lengths = torch.tensor([len(sample) for sample in samples])
    padded = torch.nn.utils.rnn.pad_sequence(samples, batch_first=True, padding_value=value)
    return padded, torch.arange(padded.shape[1]) < lengths[:, None]


def collate(split, positions, device):
    """Inputs and targets; texts are padded."""
    if isinstance(split.samples, torch.Tensor):
        chosen = torch.tensor(positions).pin_memory().to(device, non_blocking=True)
        return (split.samples[chosen],), split.targets[chosen]
    samples = [split.samples[i] for i in positions]
    targets = split.targets[positions].to(device, non_blocking=True)
    if samples[0].dim() > 1:
        return (torch.stack(samples).to(device, non_blocking=True),), targets
    ids, mask = pad(samples)
    return (ids.to(device, non_blocking=True), mask.to(device, non_blocking=True)), targets

"""A run's records and its backbone, read by NumPy and transformers alone."""

import h5py
import numpy as np
import torch
import transformers
from toy import in_mpnet


def flat(group, read):
    return np.concatenate([read(group[name]).ravel() for name in sorted(group)])


def delta_of(file):
    def product(module):
        sums = np.zeros((module["B"].shape[0], module["A"].shape[1]))
        for k in range(module["A"].shape[0]):
            sums += np.outer(module["B"][:, k].astype("f8"), module["A"][k].astype("f8"))
        return (module.attrs["scale"] * sums).astype("f4")

    return flat(file["lora"], product)


class Reference:
    """The backbone in transformers, with the adapted weights set to theta_hat_0 + a difference, in double."""

    def __init__(self, toy):
        self.model = transformers.AutoModel.from_pretrained(toy.path("backbone")).double().eval()
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        self.original = {name: p.clone() for name, p in self.model.named_parameters()}
        with h5py.File(toy.path("pack.h5")) as pack:
            offsets, data = pack["offsets"][:], pack["bytes"][:].tobytes()
            self.texts = [np.frombuffer(data[a:b], "<i4").astype("i8") for a, b in zip(offsets, offsets[1:])]
            self.labels, self.split = pack["labels"][:], pack["split"][:]

    def set_difference(self, names, difference):
        """Returns the adapted parameters, ready for gradients."""
        parameters, first = [], 0
        for name in names:
            own = (in_mpnet(name) if self.model.config.model_type == "mpnet" else name) + ".weight"
            parameter = self.model.get_parameter(own)
            part = torch.tensor(difference[first : first + parameter.numel()].astype("f8")).view_as(parameter)
            parameter.data = self.original[own] + part
            parameters.append(parameter.requires_grad_(True))
            first += parameter.numel()
        return parameters

    def features(self, sample):
        return self.model(torch.tensor(self.texts[sample])[None]).last_hidden_state[0].mean(0)

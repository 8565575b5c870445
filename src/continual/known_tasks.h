#pragma once
// Which tasks of a protocol, and which classes of a pack, are those of saved weights. What isn't is
// not tested, and a remark says so.
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/continual/saved_weights.h"
#include "palimpsest/data/task_stream.h"

namespace palimpsest {

// For each of the weights' tasks that of the protocol, with this split as its test set and with its
// training samples: the one
// with its classes; of domains, which have the same labels, the one with its name. Throws
// InputError when none is found, when a domain's labels are others now, and for domains that the
// weights don't name.
std::vector<Task> find_tasks(const SavedWeights& saved, std::vector<Task> known,
                             std::string_view split, const RunConfig& config,
                             std::vector<std::string>& remarks);

// The pack's samples of this split, with their place among known_classes(). A class of the pack
// goes by the label that the protocol of `config` gives it, if there is one; else by its own name;
// else, where domains share their labels, by what follows the first slash, as in DOMAIN/LABEL. The
// place of a class that the weights don't know is -1.
LabelledSamples find_samples(const SavedWeights& saved, const Pack& pack, std::string_view split,
                             const RunConfig& config, std::vector<std::string>& remarks);

}  // namespace palimpsest

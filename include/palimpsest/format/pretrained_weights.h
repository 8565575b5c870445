#pragma once
// The tensors of a pretrained model: model.safetensors, or several files with
// model.safetensors.index.json. A prefix that a wrapper has put before all names of the backbone
// ("module.") is taken off; the remark says so, and names what is beside it.
#include <filesystem>
#include <string>
#include <vector>

#include "palimpsest/format/safetensors.h"

namespace palimpsest {

class PretrainedWeights : public Tensors {
 public:
  // `folder`: the model's. Throws InputError: neither file is there (and what is there instead), a
  // shard is missing, the index names a tensor that its shard doesn't have, or a shard has one that
  // the index doesn't name; several backbones in one file; an adapter that isn't merged.
  explicit PretrainedWeights(const std::filesystem::path& folder);

  const std::string& remark() const { return remark_; }  // "" where no prefix is taken off

  // SHA-256 of the file; of shards: of their hashes, in the order of the files' names.
  std::string sha256() const;

 private:
  void open_shards(const std::filesystem::path& folder);

  std::string remark_;
  std::vector<std::filesystem::path> files_;
};

}  // namespace palimpsest

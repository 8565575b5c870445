#pragma once
// The tensors of a pretrained model: model.safetensors, or several files with
// model.safetensors.index.json. A prefix that a wrapper has put before all names of the backbone
// ("module.") is taken off; the remark says so, and names what is beside it.
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/format/safetensors.h"

namespace palimpsest {

class Checkpoint {
 public:
  // `folder`: the model's. Throws InputError: neither file is there (and what is there instead), a
  // shard is missing, the index names a tensor that its shard doesn't have, or a shard has one that
  // the index doesn't name; several backbones in one file; an adapter that isn't merged.
  explicit Checkpoint(const std::filesystem::path& folder);

  std::vector<std::string> names() const;  // sorted, without the wrapper's prefix
  std::string name_in_file(std::string_view name) const { return prefix_ + std::string(name); }
  const std::string& remark() const { return remark_; }  // "" where nothing is taken off
  bool contains(std::string_view name) const { return places_.contains(name); }
  // Throws InputError naming the file and, where there is one, a name that is nearly the same.
  const TensorView& tensor(std::string_view name) const;
  // As SafetensorsFile::float_tensor().
  const TensorView& float_tensor(std::string_view name, std::span<const std::int64_t> shape) const;

  // As SafetensorsFile::forget_pages(), of every file.
  void forget_pages() const {
    for (const SafetensorsFile& file : files_) file.forget_pages();
  }

  // The file, or the index of the shards: for messages.
  const std::filesystem::path& path() const { return path_; }

  // SHA-256 of the file; of shards: of their hashes, in the order of the files' names.
  std::string sha256() const;

 private:
  void open_shards(const std::filesystem::path& folder, std::map<std::string, std::size_t>& found);
  const SafetensorsFile& file_of(std::string_view name) const;

  std::filesystem::path path_;
  std::string prefix_, remark_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, std::size_t, std::less<>> places_;  // tensor -> position in files_
};

}  // namespace palimpsest

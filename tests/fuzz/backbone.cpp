// config.json of a backbone, and behind a NUL byte preprocessor_config.json, beside weights of any
// names: nothing is read of them but their shapes.
#include <cstring>

#include "fuzz.h"
#include "palimpsest/format/backbone_config.h"

namespace palimpsest {
namespace {

// The tensors by which a vision transformer is known in timm's and transformers' dialects.
void write_weights() {
  const std::string header =
      R"({"cls_token":{"dtype":"F32","shape":[1,1,2],"data_offsets":[0,8]},)"
      R"("pos_embed":{"dtype":"F32","shape":[1,5,2],"data_offsets":[8,48]},)"
      R"("patch_embed.proj.weight":{"dtype":"F32","shape":[2,3,1,1],"data_offsets":[48,72]}})";
  std::string bytes(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, sizeof(length));
  input_file("model.safetensors", bytes + header + std::string(72, '\0'));
}

}  // namespace
}  // namespace palimpsest

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace palimpsest;
  static const bool written = (write_weights(), true);
  static_cast<void>(written);
  const std::string_view text = as_text(data, size);
  const std::size_t end = std::min(text.find('\0'), text.size());
  const auto config = input_file("config.json", text.substr(0, end));
  input_file("preprocessor_config.json", text.substr(std::min(end + 1, text.size())));
  const PretrainedWeights weights(config.parent_path());
  reads_or_refuses([&] { read_backbone_config(config.parent_path(), weights); });
  reads_or_refuses([&] { read_vit_config(config.parent_path(), weights); });
  reads_or_refuses([&] { read_bert_config(config); });
  return 0;
}

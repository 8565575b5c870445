// hidden_states BACKBONE PACK COUNT OUT: writes the last hidden states (float32) of the first COUNT
// texts of a pack, one text after another, for comparison with another implementation.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <fstream>
#include <iostream>

#include "palimpsest/format/pack.h"
#include "palimpsest/model/bert.h"
#include "palimpsest/model/llama.h"

int main(int argc, char** argv) {
  using namespace palimpsest;
  if (argc != 5) return 2;
  const std::filesystem::path folder = argv[1];
  const Pack pack(argv[2]);
  const std::vector<std::string> targets = {"key", "value"};
  const PretrainedWeights weights(folder);
  const BackboneConfig config = read_backbone_config(folder, weights);
  const auto model = make_backbone(weights, config, {.targets = targets}, at::kCPU);
  Texts texts;
  for (std::int64_t i = 0; i < std::stoll(argv[3]); ++i) {
    const auto tokens = pack.tokens(i);
    texts.ids.insert(texts.ids.end(), tokens.begin(), tokens.end());
    texts.lengths.push_back(std::ssize(tokens));
  }
  const c10::NoGradGuard no_grad;
  const TextInput input = make_text_input(texts);
  const auto* const llama = dynamic_cast<const Llama*>(model.get());
  const at::Tensor hidden =
      (llama != nullptr ? llama->hidden_states(input)
                        : dynamic_cast<const Bert&>(*model).hidden_states(input))
          .contiguous();
  std::ofstream(argv[4], std::ios::binary)
      .write(reinterpret_cast<const char*>(hidden.const_data_ptr<float>()), hidden.numel() * 4);
}

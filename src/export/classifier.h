#pragma once
// The heads of all tasks, side by side, where the other program has a place for them.
#include <string>
#include <vector>

#include "palimpsest/export/dialect.h"
#include "palimpsest/export/source.h"
#include "palimpsest/format/safetensors.h"

namespace palimpsest {

struct Classifier {
  std::vector<std::string> classes;
  std::string kind = "linear";  // Head::kind
  double scale = 1;             // Head::scale
  std::string pooling;          // of the features: tokens | class | mean
  bool is_in_model = false;
  std::vector<TensorToWrite> tensors;  // weight and bias, named as where they are written
  std::string where;                   // as text
};

// What settings of a run say, of a JSON text that may be empty.
std::string recorded_setting(const ExportSource& source, const char* key,
                             const std::string& otherwise);

Classifier make_classifier(const ExportSource& source, const BackboneConfig& backbone,
                           const PretrainedWeights& weights, Dialect dialect);

// In place of what the backbone had under those names.
void replace_classifier(const Classifier& classifier, std::vector<TensorToWrite>& tensors);

}  // namespace palimpsest

#include "palimpsest/model/head.h"

#include <ATen/ATen.h>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"

namespace palimpsest {
namespace {

// Rows of length 1; a row of zeros stays as it is, and has a finite gradient.
at::Tensor directions(const at::Tensor& rows) {
  const at::Tensor norms = rows.norm(2, {1}, /*keepdim=*/true);
  return rows.div(norms.masked_fill(norms.eq(0), 1));
}

}  // namespace

PlacedHead place(const Head& head, at::Device device) {
  return {.weight = from_host(head.weight, {head.classes, head.features}, device),
          .bias = from_host(head.bias, {head.classes}, device),
          .kind = head.kind,
          .scale = head.scale};
}

Head to_record(const PlacedHead& head) {
  return {.classes = head.weight.size(0),
          .features = head.weight.size(1),
          .weight = to_host(head.weight),
          .bias = to_host(head.bias),
          .kind = head.kind,
          .scale = head.scale};
}

at::Tensor head_logits(const at::Tensor& features, const PlacedHead& head) {
  if (head.kind == "linear") return at::linear(features, head.weight, head.bias);
  return at::linear(directions(features), directions(head.weight)).mul(head.scale);
}

Head joined(std::span<const Head> heads) {
  Head all = heads.front();
  for (const Head& head : heads.subspan(1)) {
    if (head.kind != all.kind || head.scale != all.scale || head.features != all.features) {
      throw Error(concat("a ", head.kind, " head of scale ", head.scale, " on ", head.features,
                         " features beside a ", all.kind, " one of scale ", all.scale, " on ",
                         all.features, ": their logits don't compare"));
    }
    all.classes += head.classes;
    all.weight.insert(all.weight.end(), head.weight.begin(), head.weight.end());
    all.bias.insert(all.bias.end(), head.bias.begin(), head.bias.end());
  }
  return all;
}

}  // namespace palimpsest

#include "palimpsest/format/heads.h"

#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

bool shares_head(std::string_view scenario) { return scenario == "domain-incremental"; }

std::span<const Head> heads_in_use(std::string_view scenario, std::span<const Head> heads) {
  return shares_head(scenario) && !heads.empty() ? heads.last(1) : heads;
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

std::string heads_hash(std::span<const Head> heads) {
  Sha256 hash;
  for (const Head& head : heads) {
    hash.update(std::as_bytes(std::span(head.weight)));
    hash.update(std::as_bytes(std::span(head.bias)));
  }
  return hash.hex();
}

}  // namespace palimpsest

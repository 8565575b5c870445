// A frozen backbone.
#include "adapters.h"
#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

class NoAdapter : public Adapter {
 public:
  using Adapter::Adapter;
  Learns learns(std::int64_t) const override { return {}; }
  std::int64_t rank() const override { return 0; }
  double scale() const override { return 1; }
  void begin(Session&, const Task&, Lora&) const override {
    throw Error("a frozen backbone has no adapter to begin with");
  }
};

}  // namespace

AdapterKind none_adapter() {
  return {.name = "none",
          .help =
              "The backbone stays frozen and only heads learn, from features of images without "
              "augmentation. Needs merge and perturbation none.",
          .keys = {targets_key()},
          .make = make_kind<NoAdapter>};
}

}  // namespace palimpsest

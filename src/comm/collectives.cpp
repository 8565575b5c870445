#include "palimpsest/comm/collectives.h"

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

class SingleCollectives final : public Collectives {
 public:
  std::string_view name() const override { return "single"; }
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void all_reduce_sum(Buffer) override {}
  void exchange(std::span<const Transfer> sends, std::span<const Transfer> receives) override {
    require_other_ranks(sends, *this);
    require_other_ranks(receives, *this);
  }
  void wait(void*) override {}
};

}  // namespace

std::size_t element_size(DataType type) { return type == DataType::kFloat32 ? 4 : 8; }

void require_other_ranks(std::span<const Transfer> transfers, const Collectives& collectives) {
  for (const Transfer& transfer : transfers) {
    if (transfer.peer >= 0 && transfer.peer < collectives.size() &&
        transfer.peer != collectives.rank())
      continue;
    throw Error(concat("exchange on rank ", collectives.rank(), " of ", collectives.size(),
                       " names rank ", transfer.peer,
                       " as a peer; a peer is another rank of the world"));
  }
}

std::unique_ptr<Collectives> make_single_collectives() {
  return std::make_unique<SingleCollectives>();
}

}  // namespace palimpsest

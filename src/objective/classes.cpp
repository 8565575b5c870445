// The paper's: cross-entropy over the task's own classes ("local CE").
#include "palimpsest/objective/objective.h"

namespace palimpsest {
namespace {

class Classes : public Objective {
 public:
  explicit Classes(const KindSettings&) {}
};

}  // namespace

ObjectiveKind classes_objective() {
  return {.name = "classes",
          .help = "Cross-entropy over the task's own classes, as in the paper.",
          .make = make_kind<Classes>};
}

}  // namespace palimpsest

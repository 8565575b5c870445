#include "palimpsest/curvature/curvature.h"

#include <ATen/ATen.h>

#include "curvatures.h"
#include "palimpsest/core/text.h"
#include "palimpsest/merge/curvature_memory.h"
#include "palimpsest/model/host_kernels.h"

namespace palimpsest {

void FlatSums::add(std::size_t module, const AddTo& add_to) {
  const AdaptedModule& m = layout_.modules()[module];
  add_to(flat_.narrow(0, m.offset, m.size()).view({m.out, m.in}));
}

Curvature::Curvature(const KindSettings& settings)
    : name_(settings.name()),
      scale_(settings.choice<FisherScale>("scale")),
      samples_by_class_(
          settings.value("samples") == SettingValue("all") ? 0 : settings.whole("samples")) {}

std::string Curvature::instance() const {
  return curvature_instance(name_, palimpsest::name(scale_));
}

NeededMemory Curvature::needs(const std::string& who) const {
  return {.names = {instance() + "/s0", instance() + "/s1"},
          .settings = concat("--curvature ", name_, ":scale=", palimpsest::name(scale_)),
          .if_none = concat(who,
                            " needs the Fisher of the tasks before, and that run, which needed "
                            "none, has not measured it"),
          .if_other =
              "sums of Fisher matrices that were measured or scaled in different ways would mean "
              "nothing; keep its --curvature"};
}

std::string Curvature::recorded_kind() const { return concat(name_, "-per-sample"); }

std::vector<SettingSpec> curvature_keys() {
  return {{.name = "scale",
           .type = Type::kWord,
           .default_value = std::string("secant"),
           .choices = choice_names<FisherScale>(),
           .help = "Scale of each task's Fisher. none: as in the paper. trace: the same trace for "
                   "all tasks. secant: the measured rise of the loss. Both are not in the paper."},
          {.name = "samples",
           .type = Type::kWhole,
           .default_value = std::string("all"),
           .minimum = 1,
           .maximum = 1e9,
           .choices = {"all"},
           .help = "Training samples of each class for the Fisher, the secant's losses and the "
                   "error budget, drawn by (seed, task, sample). all: as in the paper."}};
}

void add_squared_gradients(const CurvaturePass& pass, const BackwardPasses& backward) {
  const std::vector<std::int64_t> tokens = pass.model.tokens(pass.batch);
  const GradientTap tap = [&](std::size_t index, const at::Tensor& x, const at::Tensor& g) {
    // A layer that sees a sample's pooled token alone has one row for each.
    const std::vector<std::int64_t> single(tokens.size(), 1);
    const std::vector<std::int64_t>& lengths = x.size(0) == std::ssize(tokens) ? single : tokens;
    pass.sums.add(index,
                  [&](const at::Tensor& sums) { add_squared_products(g, x, lengths, sums); });
  };
  backward(pass.model.features(pass.batch, {.tap = &tap}));
}

at::Tensor add_squares_by_logits(const CurvaturePass& pass, const LogitsBackwardPasses& backward) {
  at::Tensor logits;
  add_squared_gradients(pass, [&](const at::Tensor& features) {
    logits = pass.objective.logits(features, pass.head);
    backward(logits);
  });
  return pass.objective.loss(logits.detach(), pass.batch.targets);
}

}  // namespace palimpsest

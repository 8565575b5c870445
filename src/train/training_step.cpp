#include "palimpsest/train/training_step.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "palimpsest/device/placement.h"
#include "palimpsest/device/streams.h"

namespace palimpsest {
namespace {

AdamW make_optimizer(const TaskParameters& parameters, const RunConfig& config,
                     std::int64_t updates) {
  const std::int64_t size = parameters.values().size(), head = parameters.head_offset();
  const auto group = [&](std::int64_t begin, std::int64_t end, double learning_rate) {
    return AdamW::Group{.parameters = parameters.values().flat().slice(0, begin, end),
                        .learning_rate = learning_rate,
                        .first_moment = parameters.first_moment().slice(0, begin, end),
                        .second_moment = parameters.second_moment().slice(0, begin, end)};
  };
  return AdamW({group(0, head, config.lr), group(head, size, config.head_lr)}, config.weight_decay,
               updates);
}

}  // namespace

bool TrainingStep::Outcome::is_finite() const {
  return std::isfinite(loss) && std::isfinite(gradient_norm);
}

TrainingStep::TrainingStep(Session& session, const TrainingParts& parts,
                           const TaskParameters& parameters, std::int64_t updates,
                           const QuadraticPenalty& penalty)
    : session_(session),
      parts_(parts),
      parameters_(parameters),
      sums_(*session.placement.collectives, session.lanes, parameters.values().size() + 1,
            at::kFloat, session.device()),
      optimizer_(make_optimizer(parameters, session.config, updates)),
      penalty_(penalty, *session.model),
      pass_(session.placement.make_graph,
            [this](const Batch& batch) { return loss_and_gradients(batch); }),
      adapt_(session.placement.make_graph),
      update_(session.placement.make_graph) {
  const at::TensorOptions options(session.device());
  c_ = at::ones({}, options);
  divisor_ = at::ones({}, options);
  if (parts.perturbation->noise_size() > 0) {
    noise_ = at::zeros({session.model->layout().size()}, options);
    for (const AdaptedModule& module : session.model->layout().modules()) {
      module_noise_.push_back(
          noise_.narrow(0, module.offset, module.size()).view({module.out, module.in}));
    }
  }
  outcome_ = at::zeros({2}, options.dtype(at::kDouble));
  host_outcome_ = outcome_.is_cuda() ? at::zeros({2}, at::kDouble).pin_memory() : outcome_;
}

at::Tensor TrainingStep::loss_and_gradients(const Batch& batch) const {
  const FlatParameters& values = parameters_.values();
  const at::Tensor& c = batch.numbers.defined() ? batch.numbers : c_;
  const at::Tensor features =
      session_.model->features(batch, {.lora = &parameters_.lora(), .c = c});
  const at::Tensor loss =
      parts_.objective->summed_loss(features, parameters_.head(), batch.targets);
  const std::int64_t size = values.size();
  at::Tensor part = at::zeros({size + 1}, values.flat().options());
  // A head may leave its bias unused.
  const auto gradients = torch::autograd::grad({loss}, values.leaves(), {}, std::nullopt,
                                               /*create_graph=*/false, /*allow_unused=*/true);
  values.gather(gradients, part.narrow(0, 0, size));
  part[size].copy_(loss.detach());
  return part;
}

void TrainingStep::launch(const StepInput& input, double learning_rate_factor) {
  c_.fill_(input.perturbation.c);
  divisor_.fill_(static_cast<double>(input.predictions));
  optimizer_.set_factor(learning_rate_factor);
  if (noise_.defined()) draw_noise(input.perturbation.noise_seed);
  if (session_.model->merges_adapter() && !parts_.perturbation->is_by_sample()) {
    adapt_.run(
        [this] { session_.model->layers().set_adapter(parameters_.lora(), c_, module_noise_); });
  }
  for (std::size_t i = 0; i < input.lanes.size(); ++i) {
    if (input.lanes[i]) {
      sums_.part(i).copy_(pass_(*input.lanes[i]));
    } else {
      sums_.part(i).zero_();
    }
  }
  sum_ = sums_.reduce();
  update_.run([this] { update(); });
  if (outcome_.is_cuda()) host_outcome_.copy_(outcome_, /*non_blocking=*/true);
}

// Not recorded: a recording would repeat the generator's numbers.
void TrainingStep::draw_noise(std::uint64_t seed) {
  at::Generator generator = at::globalContext().defaultGenerator(noise_.device());
  generator.set_current_seed(seed);
  noise_.normal_(0, parts_.perturbation->noise_size(), generator);
}

void TrainingStep::update() {
  const std::int64_t size = parameters_.values().size(), head = parameters_.head_offset();
  const at::Tensor mean = sum_.div(divisor_);
  const at::Tensor gradient = mean.narrow(0, 0, size);
  penalty_.add_to(gradient, parameters_);
  const at::Tensor loss = mean[size].to(at::kDouble), norm = gradient.to(at::kDouble).norm();
  at::stack_out(outcome_, {loss, norm});
  const at::Tensor skip = outcome_.isfinite().all().logical_not().to(at::kFloat);
  if (session_.config.clip_norm > 0) {
    gradient.mul_(at::full_like(norm, session_.config.clip_norm).div_(norm).clamp_max_(1));
  }
  optimizer_.step({gradient.narrow(0, 0, head), gradient.narrow(0, head, size - head)}, skip);
}

TrainingStep::Outcome TrainingStep::wait() {
  session_.placement.collectives->wait(as_buffer(outcome_).stream);
  wait_for(outcome_.device());
  const double* found = host_outcome_.const_data_ptr<double>();
  return {.loss = found[0], .gradient_norm = found[1]};
}

}  // namespace palimpsest

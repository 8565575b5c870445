// A from the data, as in SplitLoRA and LoDA: its rows are the top eigenvectors of the second moment
// E[x x'] of the inputs that a module sees of the task's training samples at theta_hat_{t-1}. It
// stays as it is, and B alone learns. Solved on rank 0 in float64; of an eigenvector and its
// negative, that one is taken whose largest component is positive.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "lora_a.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/model/recorded_pass.h"
#include "palimpsest/session/chunk_loop.h"

namespace palimpsest {
namespace {

// Sums of x x' over all tokens of a batch for each group of modules, one after the other: modules
// of a group see the same inputs.
at::Tensor second_moments(const Backbone& model, const Batch& batch) {
  const at::Tensor mask = token_mask(batch);
  std::vector<at::Tensor> by_module(model.layout().modules().size());
  const InputTap tap = [&](std::size_t module, const at::Tensor& input) {
    at::Tensor x = input.to(at::kDouble);
    if (mask.defined() && mask.size(0) == x.size(0)) x = x.mul(mask);
    by_module[module] = x.t().mm(x);
  };
  model.features(batch, {.input_tap = &tap});
  std::vector<at::Tensor> by_group;
  for (const LoraGroup& group : model.lora_groups())
    by_group.push_back(by_module[group.modules.front()].flatten());
  return at::cat(by_group);
}

// On rank 0 [sum of in^2 over groups]; undefined elsewhere.
at::Tensor task_moments(Session& session, const Task& task) {
  const c10::NoGradGuard no_grad;
  const Watchdog::Phase phase(session.watchdog, "covariance pass", 10);
  std::int64_t size = 0;
  for (const LoraGroup& group : session.model->lora_groups()) size += group.in * group.in;
  RecordedPass pass(session.placement.make_graph,
                    [&](const Batch& batch) { return second_moments(*session.model, batch); });
  return sum_on_root(session, task.train, session.config.evaluation_batch, size,
                     [&](const Chunk&, Batch& batch) { return pass(batch); });
}

// The `rank` eigenvectors of the largest eigenvalues, by row. moments: [in, in] float64, on the
// host.
at::Tensor top_eigenvectors(const at::Tensor& moments, std::int64_t rank) {
  const at::Tensor vectors = std::get<1>(at::linalg_eigh(moments));  // of rising eigenvalues
  const at::Tensor top = vectors.slice(1, moments.size(0) - rank).flip(1).t();
  const at::Tensor largest = top.gather(1, top.abs().argmax(1, /*keepdim=*/true));
  return top.mul(largest.sign());
}

void check_rank(const std::vector<LoraGroup>& groups, std::int64_t rank) {
  for (const LoraGroup& group : groups) {
    if (rank <= group.in) continue;
    throw UsageError(concat("adapter = lora:a=covariance: a rank of ", rank, ", but a module has ",
                            group.in, " inputs; lower the rank"));
  }
}

void begin_covariance(Session& session, const Task& task, Lora& lora) {
  const c10::NoGradGuard no_grad;
  const std::vector<LoraGroup>& groups = session.model->lora_groups();
  const std::int64_t rank = lora.group(0).a.size(1);  // of a [modules, rank, in]
  check_rank(groups, rank);
  at::Tensor moments = task_moments(session, task);
  if (moments.defined()) moments = moments.to(at::kCPU);
  std::int64_t first = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const std::int64_t in = groups[g].in;
    std::vector<float> rows(static_cast<std::size_t>(rank * in));
    session.group.work("eigenvectors on rank 0", [&] {
      if (!moments.defined()) return;
      const at::Tensor own = moments.narrow(0, first, in * in).view({in, in});
      rows = to_host(top_eigenvectors(own, rank).to(at::kFloat));
    });
    session.group.broadcast(std::span(rows), 0, "broadcast of the adapter's A");
    const at::Tensor a = lora.group(g).a;
    a.copy_(from_host(rows, {1, rank, in}, a.device()));
    lora.group(g).b.zero_();
    first += in * in;
  }
}

}  // namespace

LoraA covariance_a() { return {.name = "covariance", .learns = false, .begin = begin_covariance}; }

}  // namespace palimpsest

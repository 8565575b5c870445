#pragma once
// Curvatures of texts on a model of two blocks, and their gradients written out.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <string>
#include <vector>

#include "palimpsest/train/task_parameters.h"
#include "support/tiny_stream.h"

namespace palimpsest {

class CurvatureStream : public StreamTest {
 protected:
  CurvatureStream() : StreamTest(true) {}

  Fisher measured(const std::string& kind, const Head& head, std::uint64_t seed = 1) {
    stream_.config.curvature = kind;
    stream_.config.seed = seed;
    Session session = stream_.session({});
    return curvature_everywhere(session, stream_.task(), head);
  }

  // By how much two vectors differ, as a share of the second's length.
  static double distance(const std::vector<float>& found, const at::Tensor& expected) {
    const at::Tensor difference = at::tensor(found).to(at::kDouble) - expected;
    return (difference.norm() / expected.norm()).item<double>();
  }

  static Head random_head() {
    Head head{
        .classes = 3, .features = 32, .weight = std::vector<float>(96), .bias = {0.1F, 0, -0.1F}};
    fill_uniform(head.weight, 0.5, RandomStream(9, Purpose::kTest, 0, 0));
    return head;
  }

  Batch sample(Session& session, std::int64_t position) const {
    return session.reader().test_batch(stream_.task().train, std::span(&position, 1));
  }
};

// Gradients of one sample's loss with respect to all adapted weights: an adapter whose A is the
// identity and whose B is zero has them as the gradient of B.
class SampleGradients {
 public:
  SampleGradients(TinyStream& stream, const Head& head)
      : session_((stream.config.adapter = "lora:rank=32,alpha=32", stream.session({}))),
        parameters_(*session_.model, 0, 2, make_training_parts(stream.config)),
        head_(place(head, at::kCPU)) {
    const c10::NoGradGuard no_grad;
    for (std::size_t g = 0; g < session_.model->lora_groups().size(); ++g) {
      const at::Tensor a = parameters_.lora().group(g).a.detach();
      a.copy_(at::eye(32).expand_as(a));
    }
    session_.model->layers().set_adapter(parameters_.lora(), at::ones({}));
  }

  Session& session() { return session_; }

  at::Tensor logits(const Batch& sample) const {
    return head_.logits(session_.model->features(sample, {.lora = &parameters_.lora()}));
  }

  // Flat, float64.
  at::Tensor compute(const at::Tensor& loss) const {
    const std::vector<LoraGroup>& groups = session_.model->lora_groups();
    std::vector<at::Tensor> factors;
    for (std::size_t g = 0; g < groups.size(); ++g)
      factors.push_back(parameters_.lora().group(g).b);
    const auto gradients = torch::autograd::grad({loss}, factors, {}, /*retain_graph=*/true);
    at::Tensor flat = at::zeros({session_.model->layout().size()}, at::kDouble);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      for (std::size_t m = 0; m < groups[g].modules.size(); ++m) {
        const AdaptedModule& module = session_.model->layout().modules()[groups[g].modules[m]];
        flat.narrow(0, module.offset, module.size())
            .copy_(gradients[g].select(0, static_cast<std::int64_t>(m)).flatten());
      }
    }
    return flat;
  }

 private:
  Session session_;
  TaskParameters parameters_;
  DeviceHead head_;
};

}  // namespace palimpsest

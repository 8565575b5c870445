#include "palimpsest/model/recompute.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

namespace palimpsest {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using TensorFunction = std::function<at::Tensor(const at::Tensor&)>;

struct SavedFunction : torch::CustomClassHolder {
  explicit SavedFunction(TensorFunction function) : f(std::move(function)) {}
  TensorFunction f;
};

class Recomputed : public torch::autograd::Function<Recomputed> {
 public:
  // Autograd is off in this function.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, at::TensorList leaves,
                            const TensorFunction& f) {
    variable_list saved{x};
    saved.insert(saved.end(), leaves.begin(), leaves.end());
    context->save_for_backward(std::move(saved));
    context->saved_data["f"] = c10::IValue::make_capsule(c10::make_intrusive<SavedFunction>(f));
    return f(x);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved =
        c10::static_intrusive_pointer_cast<SavedFunction>(context->saved_data["f"].toCapsule());
    variable_list inputs = context->get_saved_variables();
    inputs[0] = inputs[0].detach().requires_grad_(true);
    const c10::AutoGradMode again(true);
    variable_list result = torch::autograd::grad({saved->f(inputs[0])}, inputs, {gradients[0]},
                                                 /*retain_graph=*/false, /*create_graph=*/false,
                                                 /*allow_unused=*/true);
    result.emplace_back();  // of f
    return result;
  }
};

}  // namespace

at::Tensor recomputed(const TensorFunction& f, const at::Tensor& x,
                      const std::vector<at::Tensor>& leaves) {
  return Recomputed::apply(x, at::TensorList(leaves), f);
}

}  // namespace palimpsest

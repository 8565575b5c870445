#include "palimpsest/model/frozen_product.h"

#include <ATen/ATen.h>
#include <ATen/Version.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>

#include <optional>

#include "palimpsest/device/placement.h"
#include "palimpsest/model/host_kernels.h"

namespace palimpsest {
namespace {

// The operator behind torch.compile's linear layers; nullopt where this LibTorch has none, or one
// with other arguments.
using Linear = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                          std::string_view, c10::List<std::optional<at::Scalar>>,
                          std::optional<std::string_view>);
const std::optional<c10::TypedOperatorHandle<Linear>>& linear_operator() {
  static const auto found = []() -> std::optional<c10::TypedOperatorHandle<Linear>> {
    if (!at::hasMKLDNN()) return std::nullopt;
    try {
      return c10::Dispatcher::singleton()
          .findSchemaOrThrow("mkldnn::_linear_pointwise", "")
          .typed<Linear>();
    } catch (const c10::Error&) {
      return std::nullopt;
    }
  }();
  return found;
}

// x W^T + bias in float32.
at::Tensor onednn_linear(const at::Tensor& x, const at::Tensor& w,
                         const std::optional<at::Tensor>& bias) {
  return linear_operator()->call(x, w, bias, "none", c10::List<std::optional<at::Scalar>>(), "");
}

// Autograd does not know the operator.
bool takes_onednn(const at::Tensor& x, GemmLibrary library) {
  const bool for_autograd = c10::GradMode::is_enabled() && x.requires_grad();
  return library == GemmLibrary::kOneDnn && !for_autograd && has_host_kernels(x) &&
         linear_operator();
}

}  // namespace

GemmLibrary faster_gemm_library() {
  static const bool onednn = linear_operator() && at::get_cpu_capability() == "AVX512" &&
                             processor_name().find("AMD") != std::string::npos;
  return onednn ? GemmLibrary::kOneDnn : GemmLibrary::kLibTorch;
}

at::Tensor frozen_product(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias,
                          GemmLibrary library) {
  return takes_onednn(x, library) ? onednn_linear(x, w, bias) : at::linear(x, w, bias);
}

at::Tensor frozen_product_backward(const at::Tensor& g, const at::Tensor& w, GemmLibrary library) {
  return takes_onednn(g, library) ? onednn_linear(g, w.t(), std::nullopt) : g.mm(w);
}

}  // namespace palimpsest

#pragma once
// Products with a frozen matrix W [out, in], by the library that is faster on this processor: in
// float32 on AMD processors with AVX-512, LibTorch's own (MKL) reaches half of what oneDNN does.
#include <ATen/core/Tensor.h>

namespace palimpsest {

enum class GemmLibrary { kLibTorch, kOneDnn };

// A function of processor and LibTorch alone, so that the same machine gives the same bits.
GemmLibrary faster_gemm_library();

// x W^T + bias: [rows, in] -> [rows, out]. oneDNN takes float32 in host memory that no
// gradient is requested through autograd; all else is LibTorch's whatever the choice, and so is all
// where LibTorch has no such operator.
at::Tensor frozen_product(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias,
                          GemmLibrary library = faster_gemm_library());

// g W: [rows, out] -> [rows, in], the gradient towards x.
at::Tensor frozen_product_backward(const at::Tensor& g, const at::Tensor& w,
                                   GemmLibrary library = faster_gemm_library());

}  // namespace palimpsest

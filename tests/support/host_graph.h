#pragma once
// A DeviceGraph in host memory, as strict as a CUDA graph about what may be recorded: LibTorch's
// operators are kept as they reach the processor, with the tensors and the numbers that they had,
// and a launch does exactly those again. What the host does meanwhile is not repeated; reading a
// result while recording throws. Other than CUDA's, recording already computes, and the first
// launch adds nothing.
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "palimpsest/comm/device_graph.h"

namespace palimpsest {

class HostGraph final : public DeviceGraph {
 public:
  void record(const std::function<void()>& work) override {
    recording() = this;
    try {
      // A key below autograd that LibTorch leaves to others.
      const c10::impl::IncludeDispatchKeyGuard listen(kKey);
      work();
    } catch (...) {
      recording() = nullptr;
      throw;
    }
    recording() = nullptr;
    is_fresh_ = true;
  }

  void launch() override {
    if (is_fresh_) {
      is_fresh_ = false;
      return;
    }
    const c10::NoGradGuard no_grad;
    const at::AutoDispatchBelowADInplaceOrView below;
    for (const Operation& operation : operations_) {
      torch::jit::Stack stack = operation.inputs;
      operation.handle.callBoxed(stack);
      for (std::size_t i = 0; i < stack.size(); ++i) write(stack[i], operation.outputs[i]);
    }
  }

  std::size_t operations() const { return operations_.size(); }

  // The kernel of kKey for every operator.
  static void keep(const c10::OperatorHandle& handle, torch::jit::Stack* stack) {
    static const std::set<std::string> reading = {"aten::_local_scalar_dense", "aten::nonzero",
                                                  "aten::masked_select", "aten::equal",
                                                  "aten::_unique2"};
    const std::string& name = handle.schema().name();
    if (recording() == nullptr) throw std::logic_error(name + " reached the recorder unasked");
    if (reading.contains(name)) throw std::runtime_error(name + " while recording");
    Operation operation{
        handle, torch::jit::last(*stack, handle.schema().arguments().size()).vec(), {}};
    {
      const c10::impl::ExcludeDispatchKeyGuard silent(kKey);
      handle.callBoxed(*stack);
    }
    operation.outputs = torch::jit::last(*stack, handle.schema().returns().size()).vec();
    recording()->operations_.push_back(std::move(operation));
  }

  static constexpr c10::DispatchKey kKey = c10::DispatchKey::Fake;

 private:
  struct Operation {
    c10::OperatorHandle handle;
    torch::jit::Stack inputs, outputs;
  };

  static HostGraph*& recording() {
    static HostGraph* graph = nullptr;
    return graph;
  }

  // A new tensor's numbers to where the recorded one has them; views and tensors that were written
  // in place have them there already.
  static void write(const c10::IValue& from, const c10::IValue& to) {
    if (from.isTensorList()) {
      for (std::size_t i = 0; i < from.toListRef().size(); ++i) {
        write(from.toListRef()[i], to.toListRef()[i]);
      }
    } else if (from.isTensor() && from.toTensor().defined() &&
               from.toTensor().data_ptr() != to.toTensor().data_ptr()) {
      to.toTensor().detach().copy_(from.toTensor());
    }
  }

  std::vector<Operation> operations_;
  bool is_fresh_ = false;
};

// Makes them, and counts.
class HostGraphs {
 public:
  MakeGraph maker() {
    return [this] {
      ++made;
      return std::make_unique<HostGraph>();
    };
  }
  int made = 0;
};

}  // namespace palimpsest

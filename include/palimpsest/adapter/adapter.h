#pragma once
// How the low-rank factors of a task begin, and which of them learn. A part of the method: a kind
// is a file of src/adapter and a row of its table.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "palimpsest/kinds/kind_table.h"
#include "palimpsest/model/lora.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

// A factor that doesn't learn has no optimizer state and no share in the gradient's norm.
struct Learns {
  bool a = false, b = false;
  bool any() const { return a || b; }
};

class Adapter {
 public:
  // With the key `targets`.
  explicit Adapter(const KindSettings& settings) : targets_(settings.words("targets")) {}
  virtual ~Adapter() = default;

  // Projections of every block that are adapted, by name.
  const std::vector<std::string>& targets() const { return targets_; }

  // Of a task, from 0. Where nothing learns, the task's head is trained on features alone, and
  // there is no task vector to merge.
  virtual Learns learns(std::int64_t task) const = 0;

  // Delta = scale * B A, A [rank, in].
  virtual std::int64_t rank() const = 0;
  virtual double scale() const = 0;

  // Collective. Writes A and B of the first step; the same on every rank. The model has
  // theta_hat_{t-1}.
  virtual void begin(Session& session, const Task& task, Lora& lora) const = 0;

 private:
  std::vector<std::string> targets_;
};

using AdapterKind = PartKind<Adapter>;
const PartTable<Adapter>& adapters();

// Of the adapter that a text names: what a model is opened with.
std::vector<std::string> adapter_targets(std::string_view adapter);

}  // namespace palimpsest

#pragma once
// The typed records of a run: one permanent task record per task; one state, from which the stream
// continues. checkpoints_schema/ says the same as text. Readers check type, version, CRC32C and
// content_sha256 before they return.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/core/named_tensors.h"
#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

struct LoraFactors {
  std::string module;
  std::int64_t out = 0, in = 0, rank = 0;
  double scale = 1;      // s of Delta = s * B * A
  std::vector<float> a;  // [rank, in]
  std::vector<float> b;  // [out, rank]
  bool operator==(const LoraFactors&) const = default;
};

// A linear classifier over one task's classes.
struct Head {
  std::int64_t classes = 0, features = 0;
  std::vector<float> weight;  // [classes, features]
  std::vector<float> bias;    // [classes]
  // How logits follow from it: of a kind of src/head. The default: weight . f + bias.
  std::string kind = "linear";
  double scale = 1;
  bool operator==(const Head&) const = default;
};

struct FisherRecord {
  std::string kind;           // "empirical-per-sample"
  std::int64_t samples = 0;   // over which the mean was taken
  std::string transform;      // of the inputs: "test"
  std::string scale;          // none | trace | secant
  double factor = 1;          // what `values` are multiplied by in S0 and S1
  std::vector<float> values;  // flat adapted vector, mean over samples, unscaled
  bool operator==(const FisherRecord&) const = default;
};

struct MergeRecord {
  std::string rule;  // as JSON
  // One: alpha. Or one per module, in layout order, or one per direction, module after module.
  std::vector<double> coefficients;
  std::optional<double> alpha_unclamped, numerator, denominator;
  std::vector<double> module_numerators,
      module_denominators;  // in layout order; empty where the rule has none
  std::string weights_before,
      weights_after;  // SHA-256 of theta_hat - theta_hat_0, float32, little-endian
  std::string remark;

  // The mean of the coefficients; nullopt where there are none.
  std::optional<double> alpha() const;
  bool operator==(const MergeRecord&) const = default;
};

// What MergeRecord says of weights: SHA-256 of the flat vector's bytes.
std::string weights_hash(const std::vector<float>& weights);

struct TaskMetrics {
  EvaluationRow before_merge, after_merge;
  double loss_first_step = 0, loss_last_pass = 0;
  double loss_merged_before =
      0;                    // L_t(theta_hat_{t-1}), head t, training samples; secant only, else 0
  double loss_trained = 0;  // L_t(theta_t*), the same
  // The merge's error budget, where it was measured (--error-budget): 1/2 d' F_t d with
  // d = theta_hat_t - theta_t* and F_t as it entered the memory (for rules with a Fisher), and
  // L_t(theta_hat_t) - L_t(theta_t*), head t as trained, training samples.
  std::optional<double> rise_predicted, rise_measured;
  // Not hashed: seconds differ between equal runs.
  double seconds_train = 0, seconds_fisher = 0, seconds_merge = 0, seconds_evaluate = 0;
  bool operator==(const TaskMetrics&) const = default;
};

struct TaskRecord {
  std::int64_t index = 0;
  std::string name;
  std::vector<std::string> classes;
  std::int64_t train_samples = 0;
  std::uint64_t seed = 0;
  std::string backbone_name, backbone_sha256;
  std::string pack_content_sha256;
  std::string config;             // JSON, operational keys left out
  std::vector<LoraFactors> lora;  // in layout order; empty for a frozen backbone
  Head head;
  std::optional<FisherRecord> fisher;
  MergeRecord merge;
  TaskMetrics metrics;
  bool operator==(const TaskRecord&) const = default;
};

struct StateRecord {
  std::int64_t tasks_done = 0;
  AdaptedLayout layout;
  std::vector<float> merged;                      // theta_hat - theta_hat_0, flat
  NamedTensors memory;                            // of the run's parts
  std::vector<std::vector<std::string>> classes;  // by task done
  AccuracyMatrix accuracy;
  std::string backbone_sha256, pack_content_sha256;
  std::string config;  // JSON, operational keys left out
  std::string
      numerics;  // JSON: what the bits depend on (library versions, processor, threads, lanes)
  // Of the backbone's shape, as its config.json says it; "" in records of version 1.0.
  std::string backbone_shape_sha256 = {};
};

// Writes through an AtomicFile and returns the content_sha256. The file is complete and synced when
// this returns.
std::string write_task_record(const std::filesystem::path& path, const TaskRecord& record);
std::string write_state_record(const std::filesystem::path& path, const StateRecord& record);

// Throw InputError: not HDF5, another palimpsest_type, an unknown major version, a missing or
// misshapen object, links or external storage, a CRC32C or content_sha256 that doesn't match. The
// message names file, object, expected, found.
TaskRecord read_task_record(const std::filesystem::path& path);
StateRecord read_state_record(const std::filesystem::path& path);

// Root attributes of any Palimpsest HDF5 file.
struct FileIdentity {
  std::string type, version, writer, content_sha256;
};
FileIdentity read_identity(const std::filesystem::path& path);

// What inspect needs, without the bulk data: A, B, heads, Fisher values, merged weights and memory
// are left empty; neither their CRCs nor the content hash are checked. Throw InputError as above.
struct ModuleStatistics {
  std::string module;
  std::int64_t out = 0, in = 0, rank = 0;
  double scale = 1, norm_a = 0, norm_b = 0, norm_delta = 0, fisher_mass = 0;
};
struct TaskSummary {
  TaskRecord record;
  std::vector<ModuleStatistics> modules;
  bool finite = true;
  FileIdentity identity;
};
struct TensorSummary {
  std::string name, type;  // "float64"
  TensorDims dims;
  std::uint64_t bytes = 0;
  Keeper keeper = Keeper::kEveryRank;
};
struct StateSummary {
  StateRecord record;
  std::vector<TensorSummary> memory;
  std::optional<double>
      norm_merged;  // |theta_hat - theta_hat_0|; nullopt where the record has none
  FileIdentity identity;
};
TaskSummary read_task_summary(const std::filesystem::path& path);
StateSummary read_state_summary(const std::filesystem::path& path);

}  // namespace palimpsest

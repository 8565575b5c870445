#pragma once
// The typed records: one of each task, kept forever; one state, from which the stream continues;
// steps of a task; and what is kept outside of runs. checkpoints_schema/ says the same as text.
// Readers check type, version, CRC32C and content_sha256 before they return.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
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

// A linear classifier over one task's classes. Without classes: the task has none, since the
// backbone's output layer answers.
struct Head {
  std::int64_t classes = 0, features = 0;
  std::vector<float> weight = {};  // [classes, features]
  std::vector<float> bias = {};    // [classes]
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

// What was measured by one classifier.
struct ClassifierRows {
  std::string classifier;  // NAME[:key=value,...]
  EvaluationRow before_merge, after_merge;
  bool operator==(const ClassifierRows&) const = default;
};

struct TaskMetrics {
  EvaluationRow before_merge, after_merge;  // of the run's own classifier
  std::string classifier = {};              // which that is; "" in records before 2.1
  std::vector<ClassifierRows> others = {};  // by the others (--classifier OWN,OTHER,...)
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

// nullopt where the task wasn't measured by this classifier.
std::optional<ClassifierRows> rows_by(const TaskMetrics& metrics, std::string_view classifier);

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

struct OtherAccuracy {
  std::string classifier;
  AccuracyMatrix accuracy;
};

struct StateRecord {
  std::int64_t tasks_done = 0;
  AdaptedLayout layout;
  std::vector<float> merged;                      // theta_hat - theta_hat_0, flat
  NamedTensors memory;                            // of the run's parts
  std::vector<std::vector<std::string>> classes;  // by task done
  AccuracyMatrix accuracy;                        // of the run's own classifier
  std::string backbone_sha256, pack_content_sha256;
  std::string config;  // JSON, operational keys left out
  std::string
      numerics;  // JSON: what the bits depend on (library versions, processor, threads, lanes)
  // Of the backbone's shape, as its config.json says it; "" in records of version 1.0.
  std::string backbone_shape_sha256 = {};
  std::vector<OtherAccuracy> others = {};  // of classifiers that aren't the run's own
  // Of sequences, by class, task after task: AnswerScore; empty: all exact match.
  std::vector<std::uint8_t> class_scores = {};
};

// A number for every trained parameter of a task: the parameters themselves, or a moment of theirs.
struct AdapterAndHead {
  std::vector<LoraFactors> lora;  // in layout order
  Head head;
  bool operator==(const AdapterAndHead&) const = default;
};

// The progress of one task's training.
struct TaskProgress {
  std::int64_t task = 0;
  std::int64_t steps_done = 0, steps = 0;
  std::int64_t updates = 0;  // of the optimizer: steps done without those skipped
  AdapterAndHead parameters, first_moment, second_moment;
  double loss_first_step = 0;
  double loss_sum_last_pass = 0;  // summed over the samples of the last pass so far
  std::int64_t predictions_last_pass = 0;
  double seconds = 0;  // not hashed
  bool operator==(const TaskProgress&) const = default;
};

// A task in the middle of its training: what the next step needs besides the state that the task
// began with.
struct StepRecord {
  TaskProgress progress;
  std::string state_content_sha256;  // of the state that the task began with; "" for the first task
  std::string task_sha256;           // of the task's name, classes, samples and targets
  std::string backbone_sha256, backbone_shape_sha256, pack_content_sha256;
  std::string config;    // JSON, operational keys left out
  std::string numerics;  // JSON: what the bits depend on
  bool operator==(const StepRecord&) const = default;
};

// Merged weights outside of a run: what palimpsest merge writes and `palimpsest eval` reads.
struct MergedRecord {
  AdaptedLayout layout;
  std::vector<float> weights;  // theta_hat - theta_hat_0, flat
  std::string rule;            // as JSON, as in MergeRecord
  std::string sources;         // JSON: what was merged (run, tasks, content hashes; or adapters)
  // In plain words, what is to be known before a number is read off it ("later tasks were trained
  // on top of another merge"); "" for the run's own rule over its first tasks.
  std::string post_hoc;
  // Of the tasks merged, in order; empty where adapters brought none.
  std::vector<std::string> task_names;
  std::vector<std::vector<std::string>> classes;
  std::vector<Head> heads;
  std::string backbone_sha256, backbone_shape_sha256, pack_content_sha256;
  std::string config;  // JSON, of the run; "" for adapters
  bool operator==(const MergedRecord&) const = default;
};

// A curvature sidecar: the diagonal of a Fisher matrix (or another curvature of that shape), in a
// separate file beside an adapter that anyone trained.
struct CurvatureRecord {
  AdaptedLayout layout;
  std::vector<float> values;  // flat; on Delta W, at the end of the adapter's training
  std::string kind;           // "empirical-per-sample"
  std::int64_t samples = 0;   // over which the mean was taken
  double factor = 1;          // what `values` are multiplied by in a merge
  std::string base_sha256;    // of the base model's weights file; "" where it isn't known
  bool operator==(const CurvatureRecord&) const = default;
};

// Arrays that are as large as the adapted weights, of which nobody has all at once: they are
// written module by module. kFisher: of a task; kWeights, kS0 and kS1: of a state.
enum class ModuleArray { kWeights, kFisher, kS0, kS1 };
class ModuleArrays {
 public:
  virtual ~ModuleArrays() = default;
  // Of a module, by position in the layout: [out, in], row-major. kWeights and kFisher.
  virtual std::vector<float> floats(ModuleArray array, std::size_t module) = 0;
  // The same of kS0 and kS1.
  virtual std::vector<double> doubles(ModuleArray array, std::size_t module) = 0;
  // What S0 and S1 are kept under in the memory; "": there are none.
  virtual std::string curvature() const = 0;
};

// Writes through an AtomicFile and returns the content_sha256. The file is complete and synced when
// this returns. arrays: what of the record's arrays it has isn't in the record. The content
// hash is the same.
std::string write_task_record(const std::filesystem::path& path, const TaskRecord& record,
                              ModuleArrays* arrays = nullptr);
std::string write_state_record(const std::filesystem::path& path, const StateRecord& record,
                               ModuleArrays* arrays = nullptr);
std::string write_step_record(const std::filesystem::path& path, const StepRecord& record);
std::string write_merged_record(const std::filesystem::path& path, const MergedRecord& record);
std::string write_curvature_record(const std::filesystem::path& path,
                                   const CurvatureRecord& record);

// Throw InputError: not HDF5, another palimpsest_type, an unknown major version, a missing or
// misshapen object, links or external storage, a CRC32C or content_sha256 that doesn't match. The
// message names file, object, expected, found.
TaskRecord read_task_record(const std::filesystem::path& path);
StateRecord read_state_record(const std::filesystem::path& path);
StepRecord read_step_record(const std::filesystem::path& path);
MergedRecord read_merged_record(const std::filesystem::path& path);
CurvatureRecord read_curvature_record(const std::filesystem::path& path);

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
  double scale = 1, norm_a = 0, norm_b = 0, norm_delta = 0, fisher_sum = 0;
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

// For who merges again: what isn't requested stays on disk.
struct TaskParts {
  bool lora = true;
  bool fisher = false;  // its values; kind, samples and factor come always. With lora only
};

// A task's record without its head's numbers, and of the rest what `parts` says. What is read is
// checked by its CRC-32C, and HDF5 checks its own metadata; the content hash, for which all of the
// file would have to be read, is not checked. Throws InputError as read_task_record().
TaskRecord read_task_parts(const std::filesystem::path& path, const TaskParts& parts);

// A state without the curvature's memory, which is larger than the weights and which only merging
// needs; checked in the same way.
StateRecord read_state_weights(const std::filesystem::path& path);

// A state without weights, and of its memory the heads alone; checked in the same way.
// `classifier`: what the memory has of it comes, too; "" for none.
StateRecord read_state_heads(const std::filesystem::path& path, std::string_view classifier = "");

// The modules of a task record, as the flat vector has them.
AdaptedLayout adapter_layout(const std::vector<LoraFactors>& lora);

// A small file written and read exactly as a record is: what palimpsest doctor tries in a folder
// before a run does. Takes the place of a file that is there. HDF5 locks the file for reading.
void write_probe_file(const std::filesystem::path& path, std::string_view content);
std::string read_probe_file(const std::filesystem::path& path);

// HDF5's, of the library in use: "1.10.8".
std::string hdf5_version();

}  // namespace palimpsest

#include <algorithm>
#include <cmath>
#include <numeric>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/format/heads.h"
#include "record_fields.h"

namespace palimpsest {
namespace {

constexpr const char* kProbe = "probe";
constexpr const char* kContent = "/content";

// |s| |B A|, from trace((B'B)(A A')): both are [rank, rank], and the product [out, in] is never
// formed.
double delta_norm(const LoraFactors& factors) {
  const auto rank = static_cast<std::size_t>(factors.rank);
  const auto out = static_cast<std::size_t>(factors.out);
  const auto in = static_cast<std::size_t>(factors.in);
  double trace = 0;
  for (std::size_t i = 0; i < rank; ++i) {
    for (std::size_t j = 0; j < rank; ++j) {
      double b = 0, a = 0;
      for (std::size_t row = 0; row < out; ++row) {
        b += static_cast<double>(factors.b[row * rank + i]) * factors.b[row * rank + j];
      }
      for (std::size_t column = 0; column < in; ++column) {
        a += static_cast<double>(factors.a[i * in + column]) * factors.a[j * in + column];
      }
      trace += b * a;
    }
  }
  return std::abs(factors.scale) * std::sqrt(std::max(0.0, trace));
}

// What inspect shows without touching the weights: norms of weights and factors and the mass of a
// Fisher.

double frobenius_norm(std::span<const float> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

// The same of arrays as they are written, in the layout's order.
class MeasuredArrays : public ModuleArrays {
 public:
  explicit MeasuredArrays(ModuleArrays& arrays) : arrays_(arrays) {}

  std::vector<float> floats(ModuleArray array, std::size_t module) override {
    std::vector<float> values = arrays_.floats(array, module);
    sums_.push_back(std::accumulate(values.begin(), values.end(), 0.0));
    for (const double value : values) squares_ += value * value;
    return values;
  }
  std::vector<double> doubles(ModuleArray array, std::size_t module) override {
    return arrays_.doubles(array, module);
  }
  std::string curvature() const override { return arrays_.curvature(); }

  const std::vector<double>& sums() const { return sums_; }  // by module
  double norm() const { return std::sqrt(squares_); }

 private:
  ModuleArrays& arrays_;
  std::vector<double> sums_;
  double squares_ = 0;
};

// Without the sums of a Fisher that the record hasn't.
std::vector<ModuleStatistics> module_statistics(const TaskRecord& record) {
  std::vector<ModuleStatistics> statistics;
  const bool has_fisher = record.fisher && !record.fisher->values.empty();
  auto fisher = has_fisher ? record.fisher->values.begin() : std::vector<float>::const_iterator();
  for (const LoraFactors& factors : record.lora) {
    ModuleStatistics module;
    module.module = factors.module;
    module.out = factors.out;
    module.in = factors.in;
    module.rank = factors.rank;
    module.scale = factors.scale;
    module.norm_a = frobenius_norm(factors.a);
    module.norm_b = frobenius_norm(factors.b);
    module.norm_delta = delta_norm(factors);
    if (has_fisher) {
      const auto end = fisher + factors.out * factors.in;
      module.fisher_sum = std::accumulate(fisher, end, 0.0);
      fisher = end;
    }
    statistics.push_back(std::move(module));
  }
  return statistics;
}

FileIdentity file_identity(const H5File& file) {
  return {.type = file.text("/@palimpsest_type"),
          .version = file.text("/@palimpsest_version"),
          .writer = file.text("/@writer"),
          .content_sha256 = file.text("/@content_sha256")};
}

// What is wrong with a record that its description doesn't say; "" for nothing.
std::string find_problem(const auto&) { return ""; }

std::string find_problem(const StepRecord& record) {
  const TaskProgress& p = record.progress;
  if (p.steps_done <= p.steps && p.updates <= p.steps_done) return "";
  return concat("task ", p.task, ", step ", p.steps_done, " of ", p.steps, ", ", p.updates,
                " updates");
}

// Heads, where tasks have any, fit the classes, and S0 and S1 are flat adapted vectors.
std::string find_problem(const StateRecord& record) {
  try {
    const std::vector<Head> heads = heads_in(record.memory);
    if (!heads.empty() && heads.size() != record.classes.size())
      return concat(heads.size(), " heads for ", record.classes.size(), " tasks done");
    for (std::size_t task = 0; task < heads.size(); ++task) {
      const Head& head = heads[task];
      if (head.classes != std::ssize(record.classes[task]) || head.kind.empty() ||
          !std::isfinite(head.scale) || head.scale <= 0)
        return concat("task ", task, ": a head of kind \"", head.kind, "\", scale ", head.scale,
                      " and ", head.classes, " classes for ", record.classes[task].size(),
                      "; a name and a number above 0 were expected");
    }
    std::set<std::string_view> instances;
    const std::vector<std::string> names = record.memory.names("curvature");
    for (const std::string& name : names) instances.insert(instance_name(name));
    for (const std::string_view instance : instances) {
      for (const char* name : {"/s0", "/s1"})
        record.memory.values<double>(concat(instance, name), {record.layout.size()});
    }
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string find_problem(const StateSummary& summary) { return find_problem(summary.record); }

template <typename ErrorType>
void refuse_problem(const std::filesystem::path& path, const std::string& problem) {
  if (!problem.empty())
    throw ErrorType(concat(path.string(), ": the record does not fit together: ", problem));
}

// Of what ModuleArrays have. HDF5 1.10 crashes where a disk is full: kRest more must be free, for
// what else a record has.
constexpr std::uintmax_t kRest = 256 << 10;
std::uintmax_t bytes_of_arrays(const TaskRecord& record) {
  std::uintmax_t bytes = 0;
  for (const LoraFactors& factors : record.lora)
    bytes += sizeof(float) * (static_cast<std::uintmax_t>(factors.out * factors.in) +
                              factors.a.size() + factors.b.size());
  return bytes;
}
std::uintmax_t bytes_of_arrays(const StateRecord& record) {
  return (sizeof(float) + 2 * sizeof(double)) * static_cast<std::uintmax_t>(record.layout.size());
}
std::uintmax_t bytes_of_arrays(const auto&) { return 0; }

// What follows from the record, and is in its file. measured: of arrays that the record hasn't;
// null where it has all.
using DescribeRest = std::function<void(Fields& fields, const MeasuredArrays* measured)>;

template <typename Record>
std::string write_record(
    const std::filesystem::path& path, std::string_view type, const Record& record,
    const DescribeRest& describe_rest = [](Fields&, const MeasuredArrays*) {},
    ModuleArrays* arrays = nullptr) {
  refuse_problem<Error>(path, find_problem(record));
  AtomicFile target(path);
  if (arrays != nullptr) require_space(target.temporary(), kRest + bytes_of_arrays(record));
  H5Writer file(target.temporary(), type,
                arrays == nullptr ? H5Storage::kMemory : H5Storage::kDisk);
  std::optional<MeasuredArrays> measured;
  if (arrays != nullptr) measured.emplace(*arrays);
  MeasuredArrays* const in_parts = measured ? &*measured : nullptr;
  Fields fields(file, path, in_parts);
  describe(fields, const_cast<Record&>(record));  // a writer changes nothing
  describe_rest(fields, in_parts);
  std::string hash = file.finish();
  target.commit();
  return hash;
}

// All of a file, each bit of it checked.
template <typename Contents>
Contents read_whole(const std::filesystem::path& path, std::string_view type) {
  const H5File file(path, type);
  check_content_hash(file);
  Contents contents;
  Fields fields(file);
  describe(fields, contents);
  fields.finish();
  refuse_problem<InputError>(path, find_problem(contents));
  return contents;
}

// Without the values of weights, except for those that are wanted; checksums of what is read alone.
template <typename Contents>
Contents read_parts(const std::filesystem::path& path, std::string_view type,
                    const Fields::Wanted& wanted) {
  const H5File file(path, type);
  Contents contents;
  Fields fields(file, wanted);
  describe(fields, contents);
  if constexpr (requires { contents.identity; }) contents.identity = file_identity(file);
  if constexpr (requires { contents.memory; }) contents.memory = fields.tensors_found();
  return contents;
}

bool nothing(std::string_view) { return false; }

}  // namespace

std::string write_task_record(const std::filesystem::path& path, const TaskRecord& record,
                              ModuleArrays* arrays) {
  const auto describe_rest = [&](Fields& fields, const MeasuredArrays* measured) {
    std::vector<ModuleStatistics> modules = module_statistics(record);
    for (std::size_t m = 0; measured != nullptr && record.fisher && m < modules.size(); ++m)
      modules[m].fisher_sum = measured->sums().at(m);
    bool is_finite = true;  // the writer refuses other numbers
    describe_statistics(fields, modules, is_finite);
  };
  return write_record(path, "task", record, describe_rest, arrays);
}

std::string write_state_record(const std::filesystem::path& path, const StateRecord& record,
                               ModuleArrays* arrays) {
  const auto describe_rest = [&](Fields& fields, const MeasuredArrays* measured) {
    std::optional<double> norm;
    if (!record.merged.empty()) norm = frobenius_norm(record.merged);
    if (measured != nullptr && record.layout.size() > 0) norm = measured->norm();
    describe_statistics(fields, norm);
  };
  return write_record(path, "state", record, describe_rest, arrays);
}

std::string write_step_record(const std::filesystem::path& path, const StepRecord& record) {
  return write_record(path, "step", record);
}

std::string write_merged_record(const std::filesystem::path& path, const MergedRecord& record) {
  return write_record(path, "merged", record);
}

std::string write_curvature_record(const std::filesystem::path& path,
                                   const CurvatureRecord& record) {
  return write_record(path, "curvature", record);
}

TaskRecord read_task_record(const std::filesystem::path& path) {
  return read_whole<TaskSummary>(path, "task").record;
}

StateRecord read_state_record(const std::filesystem::path& path) {
  return read_whole<StateSummary>(path, "state").record;
}

StepRecord read_step_record(const std::filesystem::path& path) {
  return read_whole<StepRecord>(path, "step");
}

MergedRecord read_merged_record(const std::filesystem::path& path) {
  return read_whole<MergedRecord>(path, "merged");
}

CurvatureRecord read_curvature_record(const std::filesystem::path& path) {
  return read_whole<CurvatureRecord>(path, "curvature");
}

TaskSummary read_task_summary(const std::filesystem::path& path) {
  return read_parts<TaskSummary>(path, "task", nothing);
}

StateSummary read_state_summary(const std::filesystem::path& path) {
  return read_parts<StateSummary>(path, "state", nothing);
}

TaskRecord read_task_parts(const std::filesystem::path& path, const TaskParts& parts) {
  return read_parts<TaskSummary>(path, "task",
                                 [&](std::string_view object) {
                                   return (parts.lora && object.starts_with("/lora/")) ||
                                          (parts.fisher && object.starts_with("/fisher/"));
                                 })
      .record;
}

StateRecord read_state_weights(const std::filesystem::path& path) {
  StateRecord record = read_parts<StateSummary>(path, "state", [](std::string_view object) {
                         return !object.starts_with("/memory/curvature/") &&
                                !object.starts_with("/curvature/");  // of 1.x
                       }).record;
  refuse_problem<InputError>(path, find_problem(record));
  return record;
}

StateRecord read_state_heads(const std::filesystem::path& path, std::string_view classifier) {
  const std::string of_classifier = concat("/memory/classifier/", classifier, '/');
  StateRecord record = read_parts<StateSummary>(path, "state", [&](std::string_view object) {
                         return object.starts_with("/memory/head/") ||
                                object.starts_with("/heads/") ||
                                (!classifier.empty() && object.starts_with(of_classifier));
                       }).record;
  refuse_problem<InputError>(path, find_problem(record));
  return record;
}

std::vector<ListedField> list_fields(std::string_view type, std::string_view version) {
  Fields list(version);
  std::string text;
  for (const char* path :
       {"/@palimpsest_type", "/@palimpsest_version", "/@writer", "/@content_sha256"})
    list.value(path, text);
  with_empty_contents(type, [&](auto contents) { describe(list, contents); });
  return list.listed();
}

std::vector<std::string> find_problems(const H5File& file) {
  const std::string type = file.text("/@palimpsest_type");
  std::vector<std::string> problems;
  const auto check = [&]<typename Contents>(Contents contents) {
    const auto not_bytes = [](std::string_view object) { return object != "/bytes"; };
    Fields fields(file, not_bytes, &problems);
    describe(fields, contents);
    fields.finish(type != "pack" && type != "curvature");  // which others write, too
    if (!problems.empty()) return;
    const std::string problem = find_problem(contents);
    fields.check("/", "a record that fits together", [&] {
      if (!problem.empty()) throw Error(problem);
      check_content_hash(file);
    });
  };
  if (!with_empty_contents(type, check))
    problems.push_back(concat(file.path().string(),
                              ": /@palimpsest_type: expected a type that is described, found \"",
                              type, "\""));
  return problems;
}

std::optional<ClassifierRows> rows_by(const TaskMetrics& metrics, std::string_view classifier) {
  if (metrics.classifier == classifier)
    return ClassifierRows{metrics.classifier, metrics.before_merge, metrics.after_merge};
  const auto found = std::ranges::find(metrics.others, classifier, &ClassifierRows::classifier);
  return found == metrics.others.end() ? std::nullopt : std::optional(*found);
}

std::optional<double> MergeRecord::alpha() const {
  if (coefficients.empty()) return std::nullopt;
  return std::accumulate(coefficients.begin(), coefficients.end(), 0.0) /
         static_cast<double>(coefficients.size());
}

std::string weights_hash(const std::vector<float>& weights) {
  return sha256(std::as_bytes(std::span(weights)));
}

FileIdentity read_identity(const std::filesystem::path& path) {
  return file_identity(H5File(path, ""));
}

AdaptedLayout adapter_layout(const std::vector<LoraFactors>& lora) {
  std::vector<AdaptedModule> modules;
  for (const LoraFactors& factors : lora) {
    modules.push_back({.name = factors.module, .out = factors.out, .in = factors.in});
  }
  return AdaptedLayout(std::move(modules));
}

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return concat(major, ".", minor, ".", release);
}

void write_probe_file(const std::filesystem::path& path, std::string_view content) {
  AtomicFile file(path);
  H5Writer writer(file.temporary(), kProbe);
  writer.text(kContent, content);
  writer.finish();
  file.commit();
}

std::string read_probe_file(const std::filesystem::path& path) {
  return H5File(path, kProbe).text(kContent);
}

}  // namespace palimpsest

#include "record_parts.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"

namespace palimpsest {

std::string problem_of_name(std::string_view module) {
  const bool fine = !module.empty() && module.find_first_of("/@") == std::string_view::npos;
  return fine ? "" : concat("the module name \"", module, "\" is empty or holds / or @");
}

namespace {

std::string problem_of(const LoraFactors& factors) {
  const std::string name = problem_of_name(factors.module);
  if (!name.empty()) return name;
  const auto size = [](std::int64_t rows, std::int64_t columns) {
    return static_cast<std::size_t>(rows * columns);
  };
  const bool fine = factors.rank > 0 && factors.out > 0 && factors.in > 0 &&
                    factors.a.size() == size(factors.rank, factors.in) &&
                    factors.b.size() == size(factors.out, factors.rank);
  return fine ? "" : concat("A or B of ", factors.module, " has another size than its shape");
}

bool has_tasks(const EvaluationRow& row, std::int64_t tasks) {
  const auto expected = static_cast<std::size_t>(tasks);
  return row.samples.size() == expected && std::ranges::all_of(row.scores, [&](const Score& score) {
           return score.sums.size() == expected && score.weights.size() == expected;
         });
}

std::string problem_of_heads(const StateRecord& record) {
  const std::vector<Head> heads = heads_in(record.memory);
  if (heads.size() != record.classes.size())
    return concat(heads.size(), " heads for ", record.classes.size(), " tasks done");
  for (std::size_t task = 0; task < heads.size(); ++task) {
    const std::string problem = problem_of(heads[task], record.classes[task].size());
    if (!problem.empty()) return concat("task ", task, ": ", problem);
  }
  return "";
}

// S0 and S1 are flat adapted vectors.
std::string problem_of_curvature(const StateRecord& record) {
  std::set<std::string_view> instances;
  const std::vector<std::string> names = record.memory.names("curvature");
  for (const std::string& name : names) instances.insert(instance_of(name));
  for (const std::string_view instance : instances) {
    for (const char* name : {"/s0", "/s1"})
      record.memory.values<double>(concat(instance, name), {record.layout.size()});
  }
  return "";
}

}  // namespace

std::string problem_of(const Head& head, std::size_t classes) {
  const bool fine = head.features > 0 && head.classes == static_cast<std::int64_t>(classes) &&
                    classes > 0 && head.bias.size() == classes &&
                    head.weight.size() == classes * static_cast<std::size_t>(head.features);
  if (head.kind.empty() || !std::isfinite(head.scale) || head.scale <= 0) {
    return concat("a head of kind \"", head.kind, "\" and scale ", head.scale,
                  "; a name, and a number above 0, were expected");
  }
  if (fine) return "";
  return concat("a head of ", head.weight.size(), " weights and ", head.bias.size(), " biases for ",
                classes, " classes and ", head.features, " features");
}

std::string problem_of_modules(const std::vector<LoraFactors>& lora) {
  for (std::size_t i = 0; i < lora.size(); ++i) {
    const std::string problem = problem_of(lora[i]);
    if (!problem.empty()) return problem;
    if (i > 0 && lora[i].module <= lora[i - 1].module) {
      return concat("module ", lora[i].module, " does not stand in the order of names");
    }
  }
  return "";
}

std::string problem_of(const TaskRecord& record) {
  if (record.index < 0) return concat("task ", record.index);
  const std::string problem = problem_of_modules(record.lora);
  if (!problem.empty()) return problem;
  std::size_t flat_size = 0;
  for (const LoraFactors& factors : record.lora) {
    flat_size += static_cast<std::size_t>(factors.out * factors.in);
  }
  if (record.fisher && (record.lora.empty() || record.fisher->values.size() != flat_size)) {
    return concat("a Fisher of ", record.fisher->values.size(), " values for ", flat_size,
                  " adapted weights");
  }
  for (const auto* values : {&record.merge.module_numerators, &record.merge.module_denominators}) {
    if (!values->empty() && values->size() != record.lora.size()) {
      return concat(values->size(), " numbers of the merge by module for ", record.lora.size(),
                    " modules");
    }
  }
  if (!has_tasks(record.metrics.before_merge, record.index + 1) ||
      !has_tasks(record.metrics.after_merge, record.index + 1)) {
    return concat("an evaluation that is not over ", record.index + 1, " tasks");
  }
  return problem_of(record.head, record.classes.size());
}

std::string problem_of_memory(const StateRecord& record) {
  try {
    for (const auto& problem_of_part : {problem_of_heads, problem_of_curvature}) {
      std::string problem = problem_of_part(record);
      if (!problem.empty()) return problem;
    }
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string problem_of(const StateRecord& record) {
  const auto tasks = static_cast<std::size_t>(record.tasks_done);
  const auto size = static_cast<std::size_t>(record.layout.size());
  if (record.tasks_done < 1) return concat(record.tasks_done, " tasks done");
  if (record.classes.size() != tasks || record.accuracy.tasks() != tasks) {
    return concat("classes of ", record.classes.size(), " tasks and accuracies of ",
                  record.accuracy.tasks(), " tasks for ", tasks, " tasks done");
  }
  for (const AdaptedModule& module : record.layout.modules()) {
    const std::string problem = problem_of_name(module.name);
    if (!problem.empty()) return problem;
  }
  if (record.merged.size() != size)
    return concat("merged weights of ", record.merged.size(), " values for ", size,
                  " adapted weights");
  return problem_of_memory(record);
}

std::optional<double> MergeRecord::alpha() const {
  if (coefficients.empty()) return std::nullopt;
  return std::accumulate(coefficients.begin(), coefficients.end(), 0.0) /
         static_cast<double>(coefficients.size());
}

std::string weights_hash(const std::vector<float>& weights) {
  return sha256(std::as_bytes(std::span(weights)));
}

FileIdentity identity_of(const H5File& file) {
  return {.type = file.text("/@palimpsest_type"),
          .version = file.text("/@palimpsest_version"),
          .writer = file.text("/@writer"),
          .content_sha256 = file.text("/@content_sha256")};
}

FileIdentity read_identity(const std::filesystem::path& path) {
  return identity_of(H5File(path, ""));
}

void write_optional(H5Writer& file, const std::string& path, const std::optional<double>& value) {
  if (value) file.number<double>(path, *value);
}

std::optional<double> read_optional(const H5File& file, const std::string& path) {
  if (!file.has(path)) return std::nullopt;
  return file.number<double>(path);
}

std::string head_group(std::size_t task) { return "/heads/" + std::to_string(task); }

void write_head(H5Writer& file, const std::string& group, const Head& head) {
  file.numbers<float>(group + "/weight", {head.classes, head.features}, head.weight);
  file.numbers<float>(group + "/bias", {head.classes}, head.bias);
  if (head.kind == Head().kind) return;
  file.text(group + "@kind", head.kind);
  file.number<double>(group + "@scale", head.scale);
}

Head read_head(const H5File& file, const std::string& group) {
  Head head;
  head.weight = file.numbers<float>(group + "/weight", {kAnyLength, kAnyLength});
  const H5Dims dims = file.dims(group + "/weight");
  head.classes = dims[0];
  head.features = dims[1];
  head.bias = file.numbers<float>(group + "/bias", {head.classes});
  if (file.has(group + "@kind")) {
    head.kind = file.text(group + "@kind");
    head.scale = file.number<double>(group + "@scale");
  }
  return head;
}

void write_lora(H5Writer& file, const std::string& group, const LoraFactors& factors) {
  file.numbers<float>(group + "/A", {factors.rank, factors.in}, factors.a);
  file.numbers<float>(group + "/B", {factors.out, factors.rank}, factors.b);
  file.number<double>(group + "@scale", factors.scale);
  file.number<std::int64_t>(group + "@rank", factors.rank);
}

LoraFactors read_lora(const H5File& file, const std::string& group, const std::string& module) {
  LoraFactors factors;
  factors.module = module;
  factors.scale = file.number<double>(group + "@scale");
  factors.rank = file.number<std::int64_t>(group + "@rank");
  factors.a = file.numbers<float>(group + "/A", {factors.rank, kAnyLength});
  factors.b = file.numbers<float>(group + "/B", {kAnyLength, factors.rank});
  factors.in = file.dims(group + "/A")[1];
  factors.out = file.dims(group + "/B")[0];
  return factors;
}

AdaptedLayout read_layout(const H5File& file, const std::string& group) {
  std::vector<AdaptedModule> modules;
  for (const std::string& name : file.children(group)) {
    const H5Dims dims = file.dims(group + "/" + name);
    if (dims.size() != 2) {
      file.refuse(group + "/" + name, "two dimensions", std::to_string(dims.size()));
    }
    modules.push_back({.name = name, .out = dims[0], .in = dims[1]});
  }
  return AdaptedLayout(std::move(modules));
}

AdaptedLayout layout_of(const std::vector<LoraFactors>& lora) {
  std::vector<AdaptedModule> modules;
  for (const LoraFactors& factors : lora) {
    modules.push_back({.name = factors.module, .out = factors.out, .in = factors.in});
  }
  return AdaptedLayout(std::move(modules));
}

}  // namespace palimpsest

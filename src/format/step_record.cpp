#include "palimpsest/format/step_record.h"

#include "content_hash.h"
#include "h5.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/text.h"
#include "record_parts.h"

namespace palimpsest {
namespace {

struct Part {
  const char* group;
  AdapterAndHead TaskProgress::*member;
};
constexpr Part kParts[] = {{"/parameters", &TaskProgress::parameters},
                           {"/moments/first", &TaskProgress::first_moment},
                           {"/moments/second", &TaskProgress::second_moment}};

struct Count {
  const char* path;
  std::int64_t TaskProgress::*member;
};
constexpr Count kCounts[] = {{"/step@task", &TaskProgress::task},
                             {"/step@steps_done", &TaskProgress::steps_done},
                             {"/step@steps", &TaskProgress::steps},
                             {"/step@updates", &TaskProgress::updates},
                             {"/step@samples_last_pass", &TaskProgress::samples_last_pass}};

struct Number {
  const char* path;
  double TaskProgress::*member;
};
constexpr Number kNumbers[] = {{"/step@loss_first_step", &TaskProgress::loss_first_step},
                               {"/step@loss_sum_last_pass", &TaskProgress::loss_sum_last_pass},
                               {"/metrics/seconds@train", &TaskProgress::seconds}};

struct Text {
  const char* path;
  std::string StepRecord::*member;
};
constexpr Text kTexts[] = {{"/state@content_sha256", &StepRecord::state_content_sha256},
                           {"/step@task_sha256", &StepRecord::task_sha256},
                           {"/base@sha256", &StepRecord::backbone_sha256},
                           {"/base@shape_sha256", &StepRecord::backbone_shape_sha256},
                           {"/pack@content_sha256", &StepRecord::pack_content_sha256},
                           {"/config", &StepRecord::config},
                           {"/numerics", &StepRecord::numerics}};

// The same modules and classes in all three parts, so that one is a moment of the other.
bool same_shapes(const AdapterAndHead& a, const AdapterAndHead& b) {
  if (a.lora.size() != b.lora.size() || a.head.classes != b.head.classes ||
      a.head.features != b.head.features) {
    return false;
  }
  for (std::size_t i = 0; i < a.lora.size(); ++i) {
    if (a.lora[i].module != b.lora[i].module || a.lora[i].rank != b.lora[i].rank ||
        a.lora[i].a.size() != b.lora[i].a.size() || a.lora[i].b.size() != b.lora[i].b.size()) {
      return false;
    }
  }
  return true;
}

std::string problem_of(const StepRecord& record) {
  const TaskProgress& progress = record.progress;
  if (progress.task < 0 || progress.steps_done < 1 || progress.steps_done > progress.steps ||
      progress.updates < 0 || progress.updates > progress.steps_done ||
      progress.samples_last_pass < 0) {
    return concat("task ", progress.task, ", step ", progress.steps_done, " of ", progress.steps,
                  ", ", progress.updates, " updates");
  }
  for (const Part& part : kParts) {
    const AdapterAndHead& values = progress.*part.member;
    const std::string problem = problem_of_modules(values.lora);
    if (!problem.empty()) return problem;
    const std::string head = problem_of(values.head, static_cast<std::size_t>(values.head.classes));
    if (!head.empty()) return head;
    if (!same_shapes(values, progress.parameters))
      return concat(part.group, " has other shapes than the parameters");
  }
  return "";
}

}  // namespace

std::string write_step_record(const std::filesystem::path& path, const StepRecord& record) {
  refuse_problem<Error>(path, problem_of(record));
  AtomicFile target(path);
  H5Writer file(target.temporary(), "step");
  const TaskProgress& progress = record.progress;
  for (const auto& [name, member] : kCounts) file.number<std::int64_t>(name, progress.*member);
  for (const auto& [name, member] : kNumbers) file.number<double>(name, progress.*member);
  for (const auto& [name, member] : kTexts) file.text(name, record.*member);
  for (const auto& [group, member] : kParts) {
    for (const LoraFactors& factors : (progress.*member).lora) {
      write_lora(file, concat(group, "/lora/", factors.module), factors);
    }
    write_head(file, concat(group, "/head"), (progress.*member).head);
  }
  std::string hash = file.finish();
  target.commit();
  return hash;
}

StepRecord read_step_record(const std::filesystem::path& path) {
  const H5File file(path, "step");
  check_content_hash(file);
  StepRecord record;
  TaskProgress& progress = record.progress;
  for (const auto& [name, member] : kCounts) progress.*member = file.number<std::int64_t>(name);
  for (const auto& [name, member] : kNumbers) progress.*member = file.number<double>(name);
  for (const auto& [name, member] : kTexts) record.*member = file.text(name);
  for (const auto& [group, member] : kParts) {
    for (const std::string& module : file.children(concat(group, "/lora"))) {
      (progress.*member).lora.push_back(read_lora(file, concat(group, "/lora/", module), module));
    }
    (progress.*member).head = read_head(file, concat(group, "/head"));
  }
  refuse_problem<InputError>(path, problem_of(record));
  return record;
}

}  // namespace palimpsest

#include "palimpsest/format/verify.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "h5.h"
#include "json_fields.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/event_file.h"
#include "palimpsest/format/folder_lock.h"
#include "palimpsest/format/pack.h"
#include "palimpsest/format/protocol.h"
#include "palimpsest/format/run_folder.h"
#include "record_fields.h"
#include "run_files.h"

namespace palimpsest {
namespace {

using Problems = std::vector<std::string>;

// Runs `check`; what it throws about its input is a problem.
void collect(Problems& problems, const std::function<void()>& check) {
  try {
    check();
  } catch (const Error& error) {
    problems.emplace_back(error.what());
  }
}

// The palimpsest_type of a whole HDF5 file; "" of one with problems.
std::string check_hdf5(const std::filesystem::path& path, Problems& problems) {
  const std::size_t before = problems.size();
  std::string type;
  collect(problems, [&] {
    {
      const H5File file(path, "");
      type = file.text("/@palimpsest_type");
      std::ranges::move(find_problems(file), std::back_inserter(problems));
    }
    if (type == "pack" && problems.size() == before) Pack(path).verify_samples();
  });
  return problems.size() == before ? type : "";
}

// What the name of a run's file says of its type.
std::string type_by_name(const std::string& name) {
  for (const auto& [prefix, type] :
       {std::pair("tasks/task-", "task"), {"state-", "state"}, {"step-", "step"}}) {
    if (name.starts_with(prefix)) return type;
  }
  return "";
}

class RunVerifier {
 public:
  explicit RunVerifier(const std::filesystem::path& folder)
      : run_(folder), manifest_(read_manifest(folder / "manifest.json")) {}

  Verification verify() {
    for (const auto& [name, entry] : manifest_.files) check_file(name, entry);
    check_tasks();
    check_states();
    check_steps();
    check_logs();
    check_description();
    remark_on_others();
    for (const auto& [type, count] : counts_) {
      result_.checked += concat(result_.checked.empty() ? "" : ", ", count, " ", type,
                                type == "task" ? " record" : "", count == 1 ? "" : "s");
    }
    return std::move(result_);
  }

 private:
  void problem(const std::string& file, const std::string& what) {
    result_.problems.push_back(concat((run_.path() / file).string(), ": ", what));
  }

  void expect(const std::string& file, std::string_view what, const std::string& expected,
              const std::string& found) {
    if (expected != found) problem(file, concat(what, ": expected ", expected, ", found ", found));
  }

  void check_file(const std::string& name, const ManifestFile& entry) {
    const std::filesystem::path path = run_.path() / name;
    const std::string expected = type_by_name(name);
    ++counts_[expected.empty() ? "other file" : expected];
    const std::size_t before = result_.problems.size();
    collect(result_.problems, [&] {
      expect(name, "SHA-256 by manifest.json", entry.sha256, sha256_file(path));
      const std::string type = check_hdf5(path, result_.problems);
      if (!type.empty()) expect(name, "type by its name", expected, type);
      expect(name, "content hash by manifest.json", entry.content_sha256,
             read_identity(path).content_sha256);
    });
    if (result_.problems.size() == before) whole_.insert(name);
  }

  // Whether a file is named by the manifest, and whole.
  bool is_whole(const std::filesystem::path& path) const {
    return whole_.contains(path.lexically_relative(run_.path()).generic_string());
  }

  void check_tasks() {
    for (std::int64_t task = 0; task < manifest_.tasks_done; ++task) {
      const std::filesystem::path path = run_.task_file(task);
      std::optional<TaskRecord> record;
      if (is_whole(path)) record = read_task_summary(path).record;
      if (record) {
        const std::string name = path.lexically_relative(run_.path()).generic_string();
        expect(name, "task by its name", std::to_string(task), std::to_string(record->index));
        expect(name, "backbone", backbone_.empty() ? record->backbone_sha256 : backbone_,
               record->backbone_sha256);
        check_merge(name, *record);
        backbone_ = record->backbone_sha256;
      }
      rows_.push_back(record ? std::optional(record->metrics) : std::nullopt);
      last_ = std::move(record);
    }
  }

  // It begins with the weights that the task before it has left.
  void check_merge(const std::string& name, const TaskRecord& record) {
    const std::string& before = record.merge.weights_before;
    std::size_t adapted = 0;
    for (const LoraFactors& factors : record.lora)
      adapted += static_cast<std::size_t>(factors.out * factors.in);
    if (adapted == 0)  // a frozen backbone: whatever the layout, its weights stay
      expect(name, "weights after a task of a frozen backbone", before, record.merge.weights_after);
    if (record.index == 0 && adapted > 0)
      expect(name, "weights before the first task (zeros)",
             weights_hash(std::vector<float>(adapted)), before);
    if (last_)
      expect(name, "weights before this task (after the one before)", last_->merge.weights_after,
             before);
  }

  void check_states() {
    if (manifest_.tasks_done == 0) return;
    const std::filesystem::path path = run_.state_file(manifest_.tasks_done - 1);
    const std::string name = path.filename();
    if (!manifest_.files.contains(name)) problem("manifest.json", concat("does not name ", name));
    if (!is_whole(path)) return;
    const StateRecord state = read_state_record(path);
    expect(name, "tasks done", std::to_string(manifest_.tasks_done),
           std::to_string(state.tasks_done));
    if (last_) {
      expect(name, "merged weights (after the last task)", last_->merge.weights_after,
             weights_hash(state.merged));
      expect(name, "backbone", last_->backbone_sha256, state.backbone_sha256);
    }
    const std::string own = last_ ? last_->metrics.classifier : "";
    check_accuracy(name, own, state.accuracy);
    for (const OtherAccuracy& other : state.others)
      check_accuracy(name, other.classifier, other.accuracy);
  }

  // Of a state, against the tasks' records. A run that was begun from another's state, by a
  // classifier that wasn't measured there, has rows by one of that run's for its first tasks.
  void check_accuracy(const std::string& name, const std::string& classifier,
                      const AccuracyMatrix& accuracy) {
    for (std::size_t task = 0; task < std::min(rows_.size(), accuracy.tasks()); ++task) {
      if (!rows_[task]) continue;
      const TaskMetrics& metrics = *rows_[task];
      std::vector<ClassifierRows> possible = metrics.others;
      possible.push_back({metrics.classifier, metrics.before_merge, metrics.after_merge});
      if (const std::optional<ClassifierRows> own = rows_by(metrics, classifier)) possible = {*own};
      const bool is_one = std::ranges::any_of(possible, [&](const ClassifierRows& rows) {
        return rows.after_merge == accuracy.row(task) &&
               rows.before_merge == accuracy.row_before_merge(task);
      });
      if (is_one) continue;
      problem(name, concat("accuracies after task ", task,
                           classifier.empty() ? "" : concat(" by ", classifier),
                           " differ from the task's record"));
    }
  }

  void check_steps() {
    const auto state =
        manifest_.files.find(run_.state_file(manifest_.tasks_done - 1).filename().string());
    const std::string expected = state == manifest_.files.end() ? "" : state->second.content_sha256;
    for (const std::string& name : whole_) {
      if (type_by_name(name) != "step") continue;
      const StepRecord step = read_step_record(run_.path() / name);
      expect(name, "task", std::to_string(manifest_.tasks_done),
             std::to_string(step.progress.task));
      if (step.state_content_sha256 != expected)
        result_.remarks.push_back(concat(name, " resumes from a state that was given up"));
    }
  }

  // run.json: how the run was begun.
  void check_description() {
    collect(result_.problems, [&] {
      const std::filesystem::path path = run_.path() / "run.json";
      const nlohmann::json json = read_json_object(path);
      const JsonObject description{json, path};
      check_json_identity(description, "run");
      if (last_)
        expect("run.json", "backbone", last_->backbone_sha256, description.text("backbone_sha256"));
    });
  }

  void check_logs() {
    std::map<std::string, std::set<std::int64_t>> ends;  // of what a file of the run names
    for (const auto& [name, file] : manifest_.files) {
      for (const auto& [log, offset] : file.logs) ends[log].insert(offset);
    }
    for (const auto& [log, offsets] : ends) {
      ++counts_["log"];
      if (log == run_.events_file().filename()) {
        check_events(log, offsets);
      } else {
        check_log(log, offsets);
      }
    }
  }

  // Records; `ends`: after these bytes one has ended.
  void check_events(const std::string& log, const std::set<std::int64_t>& ends) {
    const std::vector<std::int64_t> found = record_ends(run_.path() / log);
    for (const std::int64_t end : ends) {
      if (end == 0 || std::binary_search(found.begin(), found.end(), end)) continue;
      problem(log, concat("expected whole records up to byte ", end, ", found them up to byte ",
                          found.empty() ? 0 : found.back()));
      return;
    }
  }

  // JSON objects, a line each; `ends`: after these bytes a line has ended.
  void check_log(const std::string& log, std::set<std::int64_t> ends) {
    const std::int64_t last = *ends.rbegin();
    std::ifstream file(run_.path() / log);
    std::int64_t bytes = 0, number = 0;
    ends.erase(0);
    for (std::string line; bytes < last && std::getline(file, line);) {
      ++number;
      bytes += static_cast<std::int64_t>(line.size()) + (file.eof() ? 0 : 1);
      ends.erase(bytes);
      if (line.find('\0') != std::string::npos ||
          !nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false).is_object())
        problem(log, concat("line ", number, ": expected a JSON object"));
    }
    if (bytes < last) {
      problem(log, concat("expected at least ", last, " bytes, found ", bytes));
    } else if (!ends.empty()) {
      problem(log, concat("expected the end of a line after ", *ends.begin(), " bytes"));
    }
  }

  void remark_on_others() {
    for (const std::filesystem::path& folder : {run_.path(), run_.path() / "tasks"}) {
      std::error_code ignored;
      for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().lexically_relative(run_.path()).generic_string();
        const bool is_record = entry.path().extension() == ".h5";
        if ((is_record && !manifest_.files.contains(name)) || entry.path().extension() == ".tmp")
          result_.remarks.push_back(concat(name, " is not part of the run"));
      }
    }
  }

  RunFolder run_;
  Manifest manifest_;
  Verification result_;
  std::set<std::string> whole_;  // names of the files without a problem
  std::map<std::string, int> counts_;
  std::string backbone_;
  std::optional<TaskRecord> last_;  // of the last task, where it is whole
  std::vector<std::optional<TaskMetrics>> rows_;
};

Verification verify_file(const std::filesystem::path& path) {
  Verification result;
  if (path.extension() == ".json") {
    result.checked = "the protocol";
    collect(result.problems, [&] { read_protocol(path); });
    return result;
  }
  const std::string type = check_hdf5(path, result.problems);
  if (type == "task" || type == "state" || type == "step")
    collect(result.problems, [&] { check_named_file(path); });
  result.checked = concat("the ", type);
  return result;
}

Verification verify_run(const std::filesystem::path& folder) {
  Verification result;
  if (!std::filesystem::exists(folder / "manifest.json")) {
    result.problems.push_back(concat(folder.string(),
                                     ": expected a run folder with a manifest.json, found ",
                                     describe_missing_run(folder)));
    return result;
  }
  collect(result.problems, [&] { result = RunVerifier(folder).verify(); });
  if (result.problems.empty()) return result;
  try {
    FolderLock::check_free(folder);
  } catch (const UsageError&) {
    result.problems.push_back(
        concat(folder.string(),
               ": a run is writing to this folder, and may have replaced files while "
               "they were verified: verify it when the run has ended"));
  }
  return result;
}

}  // namespace

Verification verify(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) {
    return {.checked = {},
            .problems = {concat(path.string(),
                                ": expected a run folder or a file, found nothing there")},
            .remarks = {}};
  }
  if (std::filesystem::is_directory(path)) return verify_run(path);
  if (path.filename() == "manifest.json")
    return verify_run(path.has_parent_path() ? path.parent_path() : ".");
  return verify_file(path);
}

}  // namespace palimpsest

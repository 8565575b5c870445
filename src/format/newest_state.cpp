// Which state and step of a run are the newest: for who reads them, and for a resume, which alone
// may go back to an earlier one.
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "run_files.h"

namespace palimpsest {
namespace {

// What the manifest says of one of its run's files.
const ManifestFile& find_entry(const RunFolder& run, const Manifest& manifest,
                               const std::string& name) {
  const auto entry = manifest.files.find(name);
  if (entry != manifest.files.end()) return entry->second;
  throw InputError(concat(manifest_path(run.path()).string(), ": expected an entry for ", name,
                          ", found none."));
}

// `name`: the file of the newest task that is missing or damaged, and why.
[[noreturn]] void refuse_newest(const RunFolder& run, const Manifest& manifest,
                                const std::string& name, const std::string& why) {
  const std::int64_t done = manifest.tasks_done;
  const bool is_state = name == state_name(done - 1);
  std::string remedy =
      "bring the file back from a copy, or train again into another folder (--out): the run keeps "
      "no older state.";
  if (done > 1 && manifest.files.contains(state_name(done - 2))) {
    remedy = "resume the run (palimpsest train ... --resume auto), which does the lost task again.";
    if (is_state) {  // an older one may be what is wanted
      remedy = concat("give an older state itself, ", run.state_file(done - 2).string(), " (after ",
                      done - 1, done == 2 ? " task" : " tasks", "), or ", remedy);
    }
  }
  throw InputError(concat(run.path().string(), ": ",
                          is_state ? "its newest state, " : "the record of its newest task, ", name,
                          " (after ", done, done == 1 ? " task" : " tasks", "), can't be used: ",
                          why, why.ends_with('.') ? "" : ".", " To resume: ", remedy));
}

// What `read` returns of the newest state's file and its entry; nullopt when no task was committed.
template <typename Read>
auto read_newest(const RunFolder& run, const Read& read)
    -> std::optional<decltype(read({}, ManifestFile{}))> {
  const std::optional<Manifest> found = run.manifest();
  if (!found || found->tasks_done == 0) return std::nullopt;
  const std::int64_t task = found->tasks_done - 1;
  const ManifestFile& entry = find_entry(run, *found, state_name(task));
  try {
    return read(run.state_file(task), entry);
  } catch (const LockedFileError&) {
    throw;
  } catch (const InputError& error) {
    refuse_newest(run, *found, state_name(task), error.what());
  }
}

}  // namespace

std::optional<NewestState> RunFolder::newest_state() const {
  return read_newest(*this, [](const std::filesystem::path& file, const ManifestFile& entry) {
    check_file_hash(file, entry);
    return NewestState{
        .record = read_state_record(file), .content_sha256 = entry.content_sha256, .remark = {}};
  });
}

std::optional<StateRecord> RunFolder::newest_weights(bool is_hashed) const {
  return read_newest(*this, [&](const std::filesystem::path& file, const ManifestFile& entry) {
    if (is_hashed) check_file_hash(file, entry);
    return read_state_weights(file);
  });
}

void RunFolder::check_newest() const {
  const std::optional<Manifest> found = manifest();
  if (!found || found->tasks_done == 0) return;
  const std::int64_t task = found->tasks_done - 1;
  for (const std::string& name : {state_name(task), task_name(task)}) {
    const ManifestFile& entry = find_entry(*this, *found, name);
    try {
      check_file_hash(path_ / name, entry);
    } catch (const InputError& error) {
      refuse_newest(*this, *found, name, error.what());
    }
  }
}

std::optional<NewestState> RunFolder::state_to_resume() const {
  const std::optional<Manifest> found = manifest();
  if (!found || found->tasks_done == 0) return std::nullopt;
  std::string problems;
  for (std::int64_t task = found->tasks_done - 1;
       task >= 0 && task >= found->tasks_done - kStatesKept; --task) {
    const std::string name = state_name(task);
    try {
      const ManifestFile& entry = find_entry(*this, *found, name);
      check_file_hash(path_ / name, entry);
      // Done again, the task writes its record again: the one place where a lost one can be
      // restored.
      check_file_hash(task_file(task), found->files.at(task_name(task)));
      NewestState newest{.record = read_state_record(path_ / name),
                         .content_sha256 = entry.content_sha256,
                         .remark = {}};
      if (!problems.empty()) {
        newest.remark = concat("resuming from ", name, ", and repeating what came after it: ",
                               "what the newest state needs is damaged: ", problems);
      }
      return newest;
    } catch (const LockedFileError&) {
      throw;  // it is whole, perhaps, and nothing is done again because another program looks at it
    } catch (const InputError& error) {
      problems += concat(problems.empty() ? "" : "\n  ", error.what());
    }
  }
  throw InputError(concat(
      path_.string(), ": expected an undamaged state to resume from, found none:\n  ", problems,
      "\nBring a file back from a copy, or train again into another ", "folder (--out)."));
}

NewestStep RunFolder::newest_step(std::int64_t task,
                                  const std::string& state_content_sha256) const {
  NewestStep newest;
  const std::optional<Manifest> found = manifest();
  if (!found) return newest;
  std::vector<std::string> names = step_files(*found, task);
  for (; !names.empty(); names.pop_back()) {
    const std::filesystem::path file = path_ / names.back();
    try {
      check_file_hash(file, found->files.at(names.back()));
      StepRecord record = read_step_record(file);
      if (record.state_content_sha256 != state_content_sha256) continue;  // of an abandoned state
      if (!newest.remark.empty()) newest.remark += concat("; resuming from ", names.back());
      newest.record = std::move(record);
      return newest;
    } catch (const LockedFileError&) {
      throw;
    } catch (const InputError& error) {
      newest.remark +=
          concat(newest.remark.empty() ? "the newest step is damaged: " : "; ", error.what());
    }
  }
  if (!newest.remark.empty()) newest.remark += concat("; doing task ", task + 1, " again");
  return newest;
}

}  // namespace palimpsest

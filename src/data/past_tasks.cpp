#include "palimpsest/data/past_tasks.h"

#include <map>

namespace palimpsest {
namespace {

using SamplesByClass = std::map<std::string_view, std::vector<std::int64_t>>;

SamplesByClass test_samples_of(const Pack& pack, std::int64_t test_per_class) {
  SamplesByClass samples;
  for (std::int64_t i = 0; i < pack.size(); ++i) {
    if (!pack.is_test(i)) continue;
    std::vector<std::int64_t>& own =
        samples[pack.classes()[static_cast<std::size_t>(pack.label(i))]];
    if (test_per_class == 0 || std::ssize(own) < test_per_class) own.push_back(i);
  }
  return samples;
}

LabelledSamples test_set(const SamplesByClass& samples, const PastTask& past) {
  LabelledSamples test;
  for (std::size_t c = 0; c < past.classes.size(); ++c) {
    const auto found = samples.find(past.classes[c]);
    if (found == samples.end()) return {};
    test.samples.insert(test.samples.end(), found->second.begin(), found->second.end());
    test.targets.insert(test.targets.end(), found->second.size(), static_cast<std::int64_t>(c));
  }
  return test.size() == past.test_samples ? test : LabelledSamples{};
}

}  // namespace

std::vector<Task> recall_tasks(const Pack& pack, std::span<const PastTask> past,
                               std::int64_t test_per_class) {
  const SamplesByClass samples = test_samples_of(pack, test_per_class);
  std::vector<Task> tasks;
  for (const PastTask& task : past) {
    tasks.push_back({.index = std::ssize(tasks),
                     .name = {},
                     .classes = task.classes,
                     .train = {},
                     .test = test_set(samples, task)});
  }
  return tasks;
}

bool is_past(const Task& task) { return task.train.samples.empty(); }

void put_before(std::vector<Task> past, std::vector<Task>& tasks) {
  for (Task& task : tasks) task.index += std::ssize(past);
  tasks.insert(tasks.begin(), std::make_move_iterator(past.begin()),
               std::make_move_iterator(past.end()));
}

}  // namespace palimpsest

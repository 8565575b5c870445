// merged_weights RULE TASKS RANK IN OUT ROWS COLUMNS [ROWS COLUMNS]...: merges a stream whose tasks
// are given, for comparison with other implementations. IN (float32): for each task A [RANK,
// COLUMNS] and B [ROWS, RANK] of every module, then its Fisher. OUT: theta_hat - theta_hat_0 after
// each task, [TASKS, weights].
#include <fstream>
#include <iostream>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/merge/merge_task.h"
#include "palimpsest/merge/task_vector.h"

namespace {

using namespace palimpsest;

AdaptedLayout parse_layout(std::span<char*> sizes) {
  std::vector<AdaptedModule> modules;
  for (std::size_t i = 0; i + 1 < sizes.size(); i += 2) {
    modules.push_back({.name = "module " + std::to_string(i / 2),
                       .out = std::stoll(sizes[i]),
                       .in = std::stoll(sizes[i + 1])});
  }
  return AdaptedLayout(std::move(modules));
}

std::vector<float> read(std::ifstream& file, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  if (!file.read(reinterpret_cast<char*>(values.data()), count * 4)) {
    throw Error("merged_weights: the input ends early");
  }
  return values;
}

void merge_stream(const MergeRule& rule, const AdaptedLayout& layout, int tasks, std::int64_t rank,
                  std::ifstream& in, std::ofstream& out) {
  const auto size = static_cast<std::size_t>(layout.size());
  CurvatureMemory memory(size);
  std::vector<float> merged(size);
  std::vector<std::vector<float>> vectors;
  for (int task = 0; task < tasks; ++task) {
    std::vector<std::vector<float>> a, b;
    std::vector<LowRankFactors> factors;
    std::vector<float> delta(size);
    for (const AdaptedModule& module : layout.modules()) {
      a.push_back(read(in, rank * module.in));
      b.push_back(read(in, module.out * rank));
      factors.push_back({.a = a.back(), .b = b.back(), .rank = rank});
      task_vector(a.back(), b.back(), rank, module.out, module.in, 1,
                  std::span(delta).subspan(static_cast<std::size_t>(module.offset),
                                           static_cast<std::size_t>(module.size())));
    }
    const std::vector<float> fisher = read(in, layout.size());
    std::vector<float> trained = merged;
    add_scaled(trained, 1, delta);
    vectors.push_back(delta);
    const std::vector<std::span<const float>> all(vectors.begin(), vectors.end());
    merged = merge_task(rule,
                        {.task = task,
                         .merged = merged,
                         .task_vector = delta,
                         .layout = layout,
                         .memory = memory,
                         .fisher = fisher,
                         .factors = factors,
                         .all_task_vectors = all},
                        trained, memory)
                 .merged;
    out.write(reinterpret_cast<const char*>(merged.data()), layout.size() * 4);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<char*> arguments(argv, static_cast<std::size_t>(argc));
  if (argc < 8 || argc % 2 != 0) return 2;
  try {
    std::ifstream in(argv[4], std::ios::binary);
    std::ofstream out(argv[5], std::ios::binary);
    merge_stream(*make_merge_rule(argv[1]), parse_layout(arguments.subspan(6)), std::stoi(argv[2]),
                 std::stoll(argv[3]), in, out);
    return 0;
  } catch (const Error& error) {
    std::cerr << error.what() << '\n';
    return 3;
  }
}

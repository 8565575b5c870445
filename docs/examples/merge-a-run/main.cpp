// merge-a-run RUN RULE: how much each merge of a recorded run kept of its task, and what another
// rule would keep.
#include <palimpsest/core/error.h>
#include <palimpsest/remerge/run_merge.h>

#include <cstdio>

int main(int count, char** values) {
  if (count != 3) {
    std::fprintf(stderr, "usage: merge-a-run RUN RULE[:key=value,...]\n");
    return 2;
  }
  try {
    const palimpsest::RemergeResult own = palimpsest::remerge_run({.run = values[1]});
    const palimpsest::RemergeResult other =
        palimpsest::remerge_run({.run = values[1], .rule = values[2]});
    std::printf("task    %s    %s\n", own.rule.c_str(), other.rule.c_str());
    for (std::size_t t = 0; t < own.tasks.size(); ++t) {
      std::printf("%s  %.4f  %.4f\n", own.tasks[t].name.c_str(),
                  own.tasks[t].record.alpha().value_or(1),
                  other.tasks[t].record.alpha().value_or(1));
    }
  } catch (const palimpsest::Error& error) {
    std::fprintf(stderr, "merge-a-run: %s\n", error.what());
    return static_cast<int>(error.code());
  }
  return 0;
}

// A state of versions 1.x: heads, class statistics, S0 and S1 have other places, and get the
// names that they have in this version.
#include "palimpsest/format/heads.h"
#include "record_fields.h"

namespace palimpsest {
namespace {

struct OldStatistics {
  std::int64_t classes = 0, features = 0;
  std::vector<float> mean, variance;
};

// "curvature/empirical:scale=secant"
std::string version_1_instance(const std::string& kind, const std::string& scale) {
  return concat("curvature/",
                kind == "gram-diagonal" ? "gram" : kind.substr(0, kind.rfind("-per-sample")),
                ":scale=", scale);
}

}  // namespace

void describe_memory_of_version_1(Fields& fields, StateRecord& r) {
  std::string kind, scale;
  AdaptedLayout layout, layout_of_s1;
  std::vector<double> s0, s1;
  std::vector<Head> heads;
  std::vector<std::vector<std::string>> classes;
  std::vector<OldStatistics> statistics;
  fields.value("/curvature@kind", kind,
               "kind of Fisher, as in a task's `/fisher@kind`; empty while the memory is empty");
  fields.value("/curvature@scale", scale, "`none`, `trace` or `secant`");
  fields.matrices("/curvature/s0/<module>", layout, s0, "sum of the scaled Fishers",
                  {.may_be_missing = true});
  fields.matrices("/curvature/s1/<module>", layout_of_s1, s1,
                  "sum of scaled Fisher times (theta_i* - theta_hat_0)", {.may_be_missing = true});
  fields.each_numbered(
      "/heads/<task>", "T", false,
      [&](Head& head, std::vector<std::string>& names) {
        describe_head(fields, "/heads/<task>", head);
        fields.array("/heads/<task>/classes", names, {"c"},
                     "`<task>` is decimal, from 0 to T - 1; in a domain-incremental run the head "
                     "of the last one serves all tasks");
      },
      heads, classes);
  fields.each_numbered(
      "/class_statistics/<task>", "T", true,
      [&](OldStatistics& of_task) {
        fields.array("/class_statistics/<task>/mean", of_task.mean,
                     {{"c", of_task.classes}, {"features", of_task.features}},
                     "of the features of each class's training samples after the "
                     "task's own merge; with heads aligned",
                     {.since = "1.2.0"});
        fields.array("/class_statistics/<task>/variance", of_task.variance, {"c", "features"},
                     "the same, over n - 1", {.since = "1.2.0"});
      },
      statistics);
  if (!fields.reads()) return;
  r.classes = std::move(classes);
  fields.check("/", "a state's memory", [&] {
    const auto add = [&](const std::string& name, const TensorDims& dims,
                         NamedTensor::Values values, Keeper keeper = Keeper::kEveryRank) {
      fields.add_tensor(r.memory, name, dims, std::move(values), keeper);
    };
    if (layout != layout_of_s1) throw Error("S0 without S1, or S1 without S0");
    if (layout.size() > 0) {
      const std::string instance = version_1_instance(kind, scale);
      add(instance + "/s0", {layout.size()}, std::move(s0), Keeper::kRoot);
      add(instance + "/s1", {layout.size()}, std::move(s1), Keeper::kRoot);
    }
    for (std::size_t task = 0; task < heads.size(); ++task) {
      Head& head = heads[task];
      const std::string place = concat(head_instance(head.kind, head.scale), '/', task);
      add(place + "/weight", {head.classes, head.features}, std::move(head.weight));
      add(place + "/bias", {head.classes}, std::move(head.bias));
    }
    for (std::size_t task = 0; task < statistics.size(); ++task) {
      OldStatistics& own = statistics[task];
      const std::string place = concat("classifier/local/", task);
      add(place + "/mean", {own.classes, own.features}, std::move(own.mean));
      add(place + "/variance", {own.classes, own.features}, std::move(own.variance));
    }
  });
}

}  // namespace palimpsest

#include "palimpsest/report/views.h"

#include "palimpsest/core/error.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/pack.h"
#include "palimpsest/format/records.h"
#include "palimpsest/format/run_folder.h"
#include "view_parts.h"

namespace palimpsest {

View state_view(const std::filesystem::path& file) {
  const StateSummary summary = read_state_summary(file);
  const StateRecord& state = summary.record;
  Json json = record_json(file, summary.identity);
  json.update({{"adapted_weights", state.layout.size()},
               {"memory", Json::array()},
               {"modules", Json::array()}});
  std::string text =
      concat("state after ", counted(state.tasks_done, "task"), "\n",
             identity_text(summary.identity), "  backbone ", short_hash(state.backbone_sha256),
             ", pack ", short_hash(state.pack_content_sha256), "\n  ", grouped(state.layout.size()),
             " adapted weights, |theta_hat - theta_hat_0| = ", fixed(summary.norm_merged, 4),
             "\n  numerics ", wrap(state.numerics, kWidth, 2, 11), "\n\ntasks\n");
  for (std::size_t t = 0; t < state.classes.size(); ++t) {
    text += concat("  ", t + 1, "  ", wrap(join(state.classes[t]), kWidth, 6, 6), "\n");
  }
  Rows rows = {{"module", "shape", "offset"}};
  for (const AdaptedModule& module : state.layout.modules()) {
    rows.push_back({module.name, concat(module.out, " x ", module.in), grouped(module.offset)});
    json["modules"].push_back({{"module", module.name},
                               {"out", module.out},
                               {"in", module.in},
                               {"offset", module.offset}});
  }
  Rows memory = {{"memory", "shape", "type", "size", "kept by"}};
  for (const TensorSummary& tensor : summary.memory) {
    memory.push_back({tensor.name, shape_text(tensor.dims), tensor.type,
                      byte_count(static_cast<double>(tensor.bytes)),
                      std::string(keeper_name(tensor.keeper))});
    json["memory"].push_back({{"name", tensor.name},
                              {"shape", tensor.dims},
                              {"type", tensor.type},
                              {"bytes", tensor.bytes},
                              {"keeper", keeper_name(tensor.keeper)}});
  }
  text += concat("\n", text_table(rows, "llr"), "\n", text_table(memory, "lllrl"), "\n",
                 summary_table(state.accuracy, {}, kWidth, is_task_given(json.at("config"))),
                 other_summaries(state.others, kWidth, is_task_given(json.at("config"))));
  return {std::move(text), dump(json)};
}

View step_view(const std::filesystem::path& file) {
  const StepRecord record = read_step_record(file);
  const TaskProgress& progress = record.progress;
  const FileIdentity identity = read_identity(file);
  Json json = record_json(file, identity);
  std::string text = concat(
      "task ", progress.task + 1, " after step ", grouped(progress.steps_done), " of ",
      grouped(progress.steps), "\n", identity_text(identity), "  ",
      grouped(progress.steps_done - progress.updates), " steps skipped; trained for ",
      duration(progress.seconds), "; loss of the first step ", fixed(progress.loss_first_step, 4),
      "\n  adapter of ", progress.parameters.lora.size(), " modules, head of ",
      progress.parameters.head.classes, " classes, and two moments of each number\n  ",
      record.state_content_sha256.empty()
          ? std::string("the first task")
          : concat("continues the state ", short_hash(record.state_content_sha256)),
      "; backbone ", short_hash(record.backbone_sha256), ", pack ",
      short_hash(record.pack_content_sha256), "\n  numerics ", wrap(record.numerics, kWidth, 2, 11),
      "\n");
  return {std::move(text), dump(json)};
}

View pack_view(const std::filesystem::path& file) {
  const FileIdentity identity = read_identity(file);
  const Pack pack(file);
  std::vector<std::int64_t> train(pack.classes().size()), test(pack.classes().size());
  for (std::int64_t sample = 0; sample < pack.size(); ++sample) {
    ++(pack.is_test(sample) ? test : train)[static_cast<std::size_t>(pack.label(sample))];
  }
  Json json = identity_json(identity);
  json.update({{"kind", pack.kind()},
               {"samples", pack.size()},
               {"vocabulary", pack.vocabulary()},
               {"longest", pack.longest()},
               {"classes", Json::array()}});
  Rows rows = {{"class", "training", "test"}};
  for (std::size_t i = 0; i < pack.classes().size(); ++i) {
    rows.push_back({pack.classes()[i], grouped(train[i]), grouped(test[i])});
    json["classes"].push_back(
        {{"name", pack.classes()[i]}, {"training", train[i]}, {"test", test[i]}});
  }
  std::string text = concat("pack of ", grouped(pack.size()), " samples, kind ", pack.kind(), ", ",
                            pack.classes().size(), " classes\n", identity_text(identity));
  if (pack.has_texts()) {
    text += concat("  vocabulary ", grouped(pack.vocabulary()), ", longest sample ", pack.longest(),
                   " tokens\n");
  }
  text += "\n" + text_table(rows, "lrr");
  return {std::move(text), dump(json)};
}

View make_view(const std::filesystem::path& path, bool with_json) {
  if (!std::filesystem::exists(path)) {
    throw InputError(
        concat(path.string(), ": expected a run folder or a Palimpsest file, found nothing there"));
  }
  if (std::filesystem::is_directory(path)) return run_view(path, with_json);
  const auto name = path.filename();
  if (name == "manifest.json" || name == "run.json") {
    return run_view(path.has_parent_path() ? path.parent_path() : ".", with_json);
  }
  const std::string type = read_identity(path).type;
  if (type == "task" || type == "state" || type == "step") check_named_file(path);
  if (type == "task") return task_view(path);
  if (type == "state") return state_view(path);
  if (type == "step") return step_view(path);
  if (type == "pack") return pack_view(path);
  if (type == "merged") return merged_view(path);
  if (type == "curvature") return curvature_view(path);
  throw InputError(
      concat(path.string(),
             ": expected palimpsest_type task, state, step, merged, curvature or pack, found '",
             type, "'"));
}

}  // namespace palimpsest

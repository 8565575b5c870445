#include "palimpsest/core/text.h"
#include "published.h"
#include "sections.h"

namespace palimpsest {
namespace {

// Which input is read and which tasks are learned, though a record knows them by their content.
bool names_the_stream(const std::string& key) {
  for (const char* const name :
       {"pack", "protocol", "backbone", "out", "tasks", "fork", "continue"})
    if (key == name) return true;
  return false;
}

// As a shell reads it.
std::string quoted(const std::string& word) {
  constexpr std::string_view kSafe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,@%+-";
  if (!word.empty() && word.find_first_not_of(kSafe) == std::string::npos) return word;
  std::string text = "'";
  for (const char character : word) text += character == '\'' ? "'\\''" : std::string(1, character);
  return text + "'";
}

// The line that makes this run again.
std::string command(const ReportedRun& run, const Json& defaults, const Json& recorded) {
  const auto ranks = run.run.value("world_size", Json(1));
  const bool several = ranks.is_number_integer() && ranks.get<std::int64_t>() > 1;
  std::string text = several ? concat("launch/mpirun.sh -n ", ranks.dump(), " palimpsest train")
                             : "palimpsest train";
  for (const auto& [key, value] : run.config.items()) {
    if (!defaults.contains(key) || defaults[key] == value) continue;
    if (!recorded.contains(key) && !names_the_stream(key)) continue;
    text += concat(" \\\n  --", key, " ", quoted(setting_text(value)));
  }
  return text;
}

}  // namespace

Html settings_section(const ReportedRun& run, const KnownSettings& known) {
  const Json defaults = Json::parse(known.all), recorded = Json::parse(known.recorded);
  Rows changed, unchanged;
  std::vector<std::string> departures;
  for (const auto& [key, value] : run.config.items()) {
    const bool is_default = defaults.contains(key) && defaults[key] == value;
    const bool departs = departs_from_paper(key, value);
    const std::string paper = value_in_paper(key);
    const std::vector<std::string> row = {
        key, setting_text(value), defaults.contains(key) ? setting_text(defaults[key]) : "-",
        departs ? "≠ " + paper : paper};
    if (departs) departures.push_back(key);
    (is_default && !departs ? unchanged : changed).push_back(row);
  }
  std::string remark = "Settings that are not the default, or not the paper's.";
  if (!departures.empty()) {
    remark += " Not as in the paper (≠):";
    for (const std::string& key : departures)
      remark += concat(key == departures.front() ? " " : ", ", key);
    remark += ".";
  }
  const std::vector<std::string> heading = {"setting", "this run", "default", "paper"};
  Html how = element("pre", {}, escaped(command(run, defaults, recorded)));
  if (run.run.is_null())
    how += paragraph("run.json is missing: pack, protocol and backbone must be added.");
  how += paragraph(
      "The same bits need the same lanes, device, threads and library versions (below); the number "
      "of "
      "ranks is free up to the number of lanes, unless lanes is ranks.");
  return section("settings", "Settings",
                 paragraph(remark) + html_table(heading, changed, "llll") +
                     details("All other settings", html_table(heading, unchanged, "llll")) +
                     element("h3", {}, escaped("The command that makes this run again")) + how);
}

}  // namespace palimpsest

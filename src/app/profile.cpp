#include "profile.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include "palimpsest/core/process.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// Of all ranks together: some 100 MB of text.
constexpr std::int64_t kMostEvents = 1'000'000;
constexpr std::string_view kGathering = "gathering the profile";
// Around the phases: what is spent in them alone belongs to no phase.
constexpr std::string_view kStart = "start", kTask = "task ";
constexpr std::string_view kOutside = "outside phases";
constexpr char kBetween = '\t';

bool is_around(std::string_view name) { return name == kStart || name.starts_with(kTask); }

// A kind of phase over the ranks; its own seconds, by rank.
struct Row {
  std::int64_t times = 0;  // on the rank with the most
  std::vector<double> seconds;

  double sum() const {
    double all = 0;
    for (const double each : seconds) all += each;
    return all;
  }
  double mean() const { return sum() / static_cast<double>(seconds.size()); }
};
using RowsByName = std::map<std::pair<std::string, bool>, Row>;  // by name, is_collective

std::string to_lines(const PhaseLog::Totals& totals) {
  std::string lines;
  for (const auto& [phase, total] : totals) {
    lines += concat(phase.second, kBetween, total.times, kBetween, total.own, kBetween, phase.first,
                    '\n');
  }
  return lines;
}

void add_rank(const std::string& lines, std::size_t rank, std::size_t ranks, RowsByName& rows) {
  std::istringstream in(lines);
  bool is_collective = false;
  PhaseTotal total;
  for (std::string name; in >> is_collective >> total.times >> total.own;) {
    in.ignore();  // the tab
    std::getline(in, name);
    const bool around = is_around(name);
    Row& row = rows[{around ? std::string(kOutside) : name, is_collective}];
    row.seconds.resize(ranks);
    row.seconds[rank] += 1e-9 * static_cast<double>(total.own);
    if (!around) row.times = std::max(row.times, total.times);
  }
}

// The extreme and its rank.
std::string of_rank(const std::vector<double>& seconds, std::vector<double>::const_iterator at) {
  return concat(fixed(*at, 3), seconds.size() > 1 ? concat(" (", at - seconds.begin(), ")") : "");
}

// Seconds outside collectives, by rank.
std::vector<double> busy_seconds(const RowsByName& rows, std::size_t ranks) {
  std::vector<double> busy(ranks);
  for (const auto& [phase, row] : rows) {
    for (std::size_t rank = 0; rank < ranks && !phase.second; ++rank)
      busy[rank] += row.seconds[rank];
  }
  return busy;
}

std::string slowest_rank(const RowsByName& rows, const std::vector<std::string>& hosts) {
  const Row busy{.seconds = busy_seconds(rows, hosts.size())};
  const auto slowest = std::max_element(busy.seconds.begin(), busy.seconds.end());
  const auto rank = static_cast<std::size_t>(slowest - busy.seconds.begin());
  std::string where;
  double most = 0;
  for (const auto& [phase, row] : rows) {
    const double above = row.seconds[rank] - row.mean();
    if (phase.second || above <= most) continue;
    most = above;
    where = phase.first;
  }
  return concat("Slowest: rank ", rank, " (host ", hosts[rank], "), ", fixed(*slowest, 3),
                " s outside collectives; the mean is ", fixed(busy.mean(), 3),
                where.empty()
                    ? " s"
                    : concat(" s. Most above the mean: '", where, "', by ", fixed(most, 3), " s"),
                ".\n");
}

std::string table(const RowsByName& rows, const std::vector<std::string>& hosts) {
  double all = 0;
  for (const auto& [phase, row] : rows) all += row.sum();
  std::vector<std::pair<std::pair<std::string, bool>, Row>> sorted(rows.begin(), rows.end());
  std::ranges::stable_sort(sorted, std::greater(),
                           [](const auto& row) { return row.second.sum(); });
  Rows cells = {{"phase", "", "times", "mean/s", "share/%", "min/s", "max/s"}};
  for (const auto& [phase, row] : sorted) {
    const auto [least, most] = std::minmax_element(row.seconds.begin(), row.seconds.end());
    cells.push_back({phase.first, phase.second ? "collective" : "",
                     row.times > 0 ? std::to_string(row.times) : "", fixed(row.mean(), 3),
                     percent(row.sum() / all), of_rank(row.seconds, least),
                     of_rank(row.seconds, most)});
  }
  return concat("Time by phase, without that of phases within: ",
                fixed(all / static_cast<double>(hosts.size()), 3), " s",
                hosts.size() > 1
                    ? concat(" on each of ", hosts.size(), " ranks. min, max: with the rank")
                    : "",
                "\n", text_table(cells, "llrrrrr"), slowest_rank(rows, hosts));
}

}  // namespace

// The log's clock starts when the barrier is passed.
Profile::Profile(HostGroup& group, Watchdog& watchdog)
    : group_(group),
      watchdog_(watchdog),
      log_((group.barrier("clocks of the profile"), kMostEvents / group.size())) {
  for (const std::string& each :
       group_.gather(trace_names(group_.rank(), host_name()), kGathering)) {
    rank_names_ += each;
  }
  watchdog_.set_phase_log(&log_);
  enter(std::string(kStart));
}

Profile::~Profile() { watchdog_.set_phase_log(nullptr); }

void Profile::open_file(const std::filesystem::path& run_folder) {
  file_.emplace(run_folder / "profile.json");
  file_->append(rank_names_, 0);
}

void Profile::begin_task(std::int64_t task) {
  enter("");
  write_events();
  enter(concat(kTask, task + 1));
}

std::string Profile::finish() {
  enter("");
  write_events();
  watchdog_.set_phase_log(nullptr);
  const std::vector<std::string> hosts = group_.gather(host_name(), kGathering);
  const std::vector<std::string> totals = group_.gather(to_lines(log_.totals()), kGathering);
  if (!file_) return "";
  RowsByName rows;
  for (std::size_t rank = 0; rank < totals.size(); ++rank)
    add_rank(totals[rank], rank, totals.size(), rows);
  for (auto& [phase, row] : rows) row.seconds.resize(totals.size());
  return concat(table(rows, hosts),
                "The trace, for https://ui.perfetto.dev: ", file_->path().string(), '\n');
}

void Profile::enter(const std::string& name) {
  if (is_within_) log_.end();
  is_within_ = !name.empty();
  if (is_within_) log_.begin(name);
}

void Profile::write_events() {
  std::int64_t left_out = log_.left_out();
  group_.sum({&left_out, 1}, kGathering);
  std::string events;
  for (const std::string& each :
       group_.gather(trace_events(log_.take_events(), group_.rank()), kGathering)) {
    events += each;
  }
  if (file_) file_->append(events, left_out);
}

}  // namespace palimpsest

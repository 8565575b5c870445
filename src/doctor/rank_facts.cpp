#include <algorithm>
#include <map>

#include "palimpsest/core/text.h"
#include "palimpsest/doctor/check.h"

namespace palimpsest {

double RankFacts::number(std::size_t rank, std::string_view fact) const {
  return ranks_[rank].value(fact, 0.0);
}

std::string RankFacts::text(std::size_t rank, std::string_view fact) const {
  return ranks_[rank].value(fact, "unknown");
}

std::vector<std::string> RankFacts::texts(std::string_view fact) const {
  std::vector<std::string> texts;
  for (std::size_t rank = 0; rank < size(); ++rank) texts.push_back(text(rank, fact));
  return texts;
}

std::size_t RankFacts::least(std::string_view fact) const {
  std::size_t found = 0;
  for (std::size_t rank = 1; rank < size(); ++rank)
    if (number(rank, fact) < number(found, fact)) found = rank;
  return found;
}

std::string RankFacts::name(std::size_t rank) const {
  return concat("rank ", rank, " (host ", text(rank, "host"), ")");
}

std::vector<std::vector<std::size_t>> RankFacts::nodes() const {
  std::vector<std::vector<std::size_t>> nodes;
  std::map<std::string, std::size_t> place;
  for (std::size_t rank = 0; rank < size(); ++rank) {
    const auto [found, is_new] = place.emplace(text(rank, "node"), nodes.size());
    if (is_new) nodes.emplace_back();
    nodes[found->second].push_back(rank);
  }
  return nodes;
}

std::string RankFacts::differences(std::span<const std::string> values) const {
  std::map<std::string, std::vector<std::size_t>> ranks_by_value;
  for (std::size_t rank = 0; rank < values.size(); ++rank)
    ranks_by_value[values[rank]].push_back(rank);
  if (ranks_by_value.size() < 2) return "";
  std::vector<std::pair<std::string, std::vector<std::size_t>>> groups(ranks_by_value.begin(),
                                                                       ranks_by_value.end());
  std::ranges::stable_sort(groups, std::greater(), [](const auto& g) { return g.second.size(); });
  std::string text;
  for (const auto& [value, ranks] : groups)
    text += concat(text.empty() ? "" : "; ", "'", value, "' on ",
                   ranks.size() == 1 ? name(ranks[0]) : rank_list(ranks));
  return text;
}

Judgement RankFacts::alike(std::string_view fact, Verdict otherwise) const {
  const auto values = texts(fact);
  const std::string differing = differences(values);
  if (!differing.empty()) return {otherwise, "they differ: " + differing};
  return {Verdict::kOk, values.front()};
}

std::string rank_list(std::span<const std::size_t> ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t i = 0; i < ranks.size();) {
    std::size_t last = i;
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) ++last;
    text += concat(i > 0 ? ", " : "", ranks[i]);
    if (last > i) text += concat("-", ranks[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace palimpsest

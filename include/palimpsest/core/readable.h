#pragma once
// Numbers, durations and tables as a person reads them.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace palimpsest {

// fixed(2.346, 2) is "2.35"; what is not finite says so ("nan").
std::string fixed(double value, int decimals);
// percent(0.2346) is "23.5".
std::string percent(double share);
std::string percent(double share, int decimals);
// scientific(0.000123, 1) is "1.2e-04".
std::string scientific(double value, int decimals);
// The same of what may be missing: "-".
std::string fixed(const std::optional<double>& value, int decimals);
std::string percent(const std::optional<double>& share, int decimals = 1);
std::string scientific(const std::optional<double>& value, int decimals);
// before_and_after(0.83, 0.783) is "83.0 -> 78.3"; without the first, "78.3"; without both, "-".
std::string before_and_after(const std::optional<double>& before,
                             const std::optional<double>& after);
std::string before_and_after(const std::optional<std::string>& before,
                             const std::optional<std::string>& after);
// grouped(1769472) is "1,769,472".
std::string grouped(std::int64_t value);
// duration(93.2) is "1:33", duration(3725) is "1:02:05", duration(4.8e6) is "56 days".
std::string duration(double seconds);
// byte_count(1536) is "1.5 KiB".
std::string byte_count(double bytes, int decimals = 1);
// The first digits of a hash, enough to compare by eye.
std::string short_hash(std::string_view hash);

// Words over lines of at most `width` columns; every line after the first begins with `indent`
// spaces, and `first` says how many columns of the first line are taken already.
std::string wrap(std::string_view text, int width, int indent, int first);

using Rows = std::vector<std::vector<std::string>>;

// One line per row. `alignment` has a letter for each column, 'l' or 'r'; a column is as wide as
// its widest cell, with `gap` spaces between two. Rows may have fewer cells than columns.
std::string text_table(const Rows& rows, std::string_view alignment, int gap = 2);

}  // namespace palimpsest

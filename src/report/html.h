#pragma once
// Pieces of an HTML page. Html is markup; text becomes Html by escaping alone, so that no name can
// break a page.
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace palimpsest {

class Html {
 public:
  Html() = default;
  // Of text that is markup already: a literal of this program, or what element() made.
  static Html markup(std::string text) { return Html(std::move(text)); }

  Html& operator+=(const Html& other) {
    text_ += other.text_;
    return *this;
  }
  friend Html operator+(Html left, const Html& right) { return left += right; }

  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }

 private:
  explicit Html(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// What HTML has a meaning for is written out; bytes that are not UTF-8, and control characters,
// become U+FFFD.
Html escaped(std::string_view text);

using Attributes = std::initializer_list<std::pair<std::string_view, std::string>>;

// <tag name="value">content</tag>; values are escaped.
Html element(std::string_view tag, Attributes attributes, const Html& content = {});

Html paragraph(std::string_view text);

using Rows = std::vector<std::vector<std::string>>;

// Text cells under a heading row, if there is one; `alignment` has 'l' or 'r' for each column.
// Wider than the page, it scrolls by itself.
Html html_table(const std::vector<std::string>& heading, const Rows& rows,
                std::string_view alignment);

// Closed until it is clicked, and open on paper.
Html details(std::string_view summary, const Html& content);

Html section(std::string_view id, std::string_view heading, const Html& content);

// A picture, what it says as text, and the numbers behind it.
Html figure(std::string_view caption, const Html& picture, const Html& numbers = {});

// Figures beside one another where there is room.
Html side_by_side(const Html& figures);

// The whole page, with its style sheet. It loads nothing.
Html page(std::string_view title, const Html& body);

}  // namespace palimpsest

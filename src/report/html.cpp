#include "html.h"

#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--ink:#1c1d1f;--quiet:#5f6368;--paper:#fff;--rule:#dadce0;--c0:#0072b2;--c1:#d55e00;
--c2:#007a5a;--c3:#9c5587;--heat:#0b4f8a;--on-heat:#fff}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e6e4e0;--quiet:#a5a8ad;--paper:#15171a;--rule:#3a3e44;
--c0:#56b4e9;--c1:#e69f00;--c2:#35c9a0;--c3:#d893be;--heat:#6cbdee;--on-heat:#0c1116}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:62rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem;font-weight:600}
h2{font-size:1.2rem;margin:2.6rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--rule);font-weight:600}
h3{font-size:1rem;margin:1.4rem 0 .4rem;font-weight:600}
p{margin:.4rem 0;max-width:44rem}
.quiet,figcaption,summary,.legend{color:var(--quiet)}
figcaption,summary,table,.legend{font-size:.86rem}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1.2rem 2rem}
figure{margin:.8rem 0;min-width:0;max-width:36rem;break-inside:avoid}
figcaption{margin-bottom:.3rem}
svg{display:block;width:100%;height:auto;font:11px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
.wide{overflow-x:auto;max-width:100%}
.legend{display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:.2rem 0 .3rem}
.legend svg{display:inline-block;width:24px;height:10px;margin-right:.35rem;vertical-align:middle}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.3rem 0}
th,td{padding:.15rem .9rem .15rem 0;text-align:left;vertical-align:top;overflow-wrap:normal}
th{font-weight:600;border-bottom:1px solid var(--rule)}
tr+tr td{border-top:1px solid color-mix(in srgb,var(--rule) 45%,transparent)}
th.r,td.r{text-align:right}td.r{white-space:nowrap}
table .long{overflow-wrap:anywhere;min-width:9rem}
summary{cursor:pointer}
pre{font:.82rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere;
border:1px solid var(--rule);border-radius:4px;padding:.7rem .9rem;margin:.5rem 0}
text{fill:var(--ink)}.label{fill:var(--quiet)}.axis{stroke:var(--rule)}.zero{stroke:var(--quiet)}
.heat{fill:var(--heat)}.on{fill:var(--on-heat)}.cell{text-anchor:middle}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}.band{stroke:none;fill-opacity:.16}
.d1{stroke-dasharray:6 3}.d2{stroke-dasharray:2 2.5}.d3{stroke-dasharray:8 3 2 3}
.s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}
.f0{fill:var(--c0)}.f1{fill:var(--c1)}.f2{fill:var(--c2)}.f3{fill:var(--c3)}
.numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:1rem 1.5rem;margin:1.2rem 0}
.numbers div{border-left:3px solid var(--rule);padding-left:.7rem}
.numbers b{display:block;font-size:1.35rem;font-weight:600;line-height:1.25;font-variant-numeric:tabular-nums}
.numbers span{color:var(--quiet);font-size:.86rem}
@media print{@page{margin:16mm}body{font-size:10.5pt;padding:0;max-width:none}h2{break-after:avoid}
h2,h3{break-after:avoid}tr{break-inside:avoid}.wide{overflow:visible}
details::details-content{content-visibility:visible;display:block;block-size:auto}
.grid{grid-template-columns:1fr}figure>svg,figure>.wide svg{max-width:11cm}table{font-size:8pt}th,td{padding-right:.6rem}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)css";

// Bytes of the character at the beginning; 0 where it is none of UTF-8 (RFC 3629).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : lead == '\n' || lead == '\t' ? 1 : 0;
  const std::size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                             : lead >= 0xe0 && lead <= 0xef ? 3
                             : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                            : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const unsigned second = byte(1);
  const bool too_long = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool surrogate = lead == 0xed && second > 0x9f, too_great = lead == 0xf4 && second > 0x8f;
  return too_long || surrogate || too_great ? 0 : length;
}

const char* entity(char character) {
  switch (character) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return nullptr;
  }
}

// Long words, such as hashes, may be broken to fit.
constexpr std::size_t kLongCell = 40;

}  // namespace

Html escaped(std::string_view text) {
  std::string markup;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char* const written_out = entity(text.front());
    if (written_out != nullptr) {
      markup += written_out;
    } else if (length == 0) {
      markup += "\xef\xbf\xbd";
    } else {
      markup += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return Html::markup(std::move(markup));
}

Html element(std::string_view tag, Attributes attributes, const Html& content) {
  std::string markup = concat("<", tag);
  for (const auto& [name, value] : attributes)
    markup += concat(" ", name, "=\"", escaped(value).str(), "\"");
  return Html::markup(concat(markup, ">", content.str(), "</", tag, ">"));
}

Html paragraph(std::string_view text) { return element("p", {}, escaped(text)); }

Html html_table(const std::vector<std::string>& heading, const Rows& rows,
                std::string_view alignment) {
  const auto table_row = [&](const char* tag, const std::vector<std::string>& cells) {
    Html row;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const bool right = alignment.at(i) == 'r', is_long = cells[i].size() > kLongCell;
      row += element(tag, {{"class", right ? "r" : is_long ? "long" : "l"}}, escaped(cells[i]));
    }
    return element("tr", {}, row) + Html::markup("\n");
  };
  const Html head = heading.empty() ? Html() : element("thead", {}, table_row("th", heading));
  Html body;
  for (const auto& row : rows) body += table_row("td", row);
  return element("div", {{"class", "wide"}},
                 element("table", {}, head + element("tbody", {}, body)));
}

Html details(std::string_view summary, const Html& content) {
  return element("details", {}, element("summary", {}, escaped(summary)) + content);
}

Html section(std::string_view id, std::string_view heading, const Html& content) {
  return element("section", {{"id", std::string(id)}},
                 element("h2", {}, escaped(heading)) + content) +
         Html::markup("\n");
}

Html figure(std::string_view caption, const Html& picture, const Html& numbers) {
  const Html behind = numbers.empty() ? Html() : details("The numbers", numbers);
  return element("figure", {}, element("figcaption", {}, escaped(caption)) + picture + behind) +
         Html::markup("\n");
}

Html side_by_side(const Html& figures) { return element("div", {{"class", "grid"}}, figures); }

Html page(std::string_view title, const Html& body) {
  return Html::markup(
             "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<link rel=\"icon\" href=\"data:,\">\n") +
         element("title", {}, escaped(title)) +
         Html::markup(concat("\n<style>", kStyle, "</style>\n</head>\n")) +
         element("body", {}, Html::markup("\n") + body) + Html::markup("\n</html>\n");
}

}  // namespace palimpsest

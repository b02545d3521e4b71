#include "out/text.h"

#include <algorithm>

#include "base/utf8.h"

namespace pier {
namespace {

// Columns on a terminal, taking each character for one. Wide ones would need the locale's tables.
std::size_t columns(std::string_view text) {
  std::size_t n = 0;
  for (const char c : text)
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) ++n;  // continuation bytes (RFC 3629) do not count
  return n;
}

}  // namespace

void TextRows::row(const std::vector<std::string>& cells) {
  if (widths_.size() < cells.size()) widths_.resize(cells.size());
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = cells[i].empty() ? "-" : printable(cells[i]);
    line += cell;
    if (i + 1 == cells.size()) break;
    if (!style_.terminal) {
      line += '\t';
      continue;
    }
    const std::size_t width = columns(cell);
    widths_[i] = std::max(widths_[i], width);
    line.append(widths_[i] - width + 2, ' ');
  }
  out_.line(line);
}

}  // namespace pier

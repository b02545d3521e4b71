// Rows for people and for pipes: aligned columns on a terminal, TAB-separated when piped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "out/style.h"
#include "out/writer.h"

namespace pier {

// Rows are written as they come. On a terminal each column is padded to the widest cell seen so far (at least
// to `widths`) with two blanks between; piped, cells are separated by one TAB. Control characters and bytes
// that are not UTF-8 are shown as \xNN (base/utf8.h) in both, so that foreign text cannot forge a row or
// reach the terminal. An empty cell is "-".
class TextRows {
 public:
  TextRows(Writer& out, const Style& style, std::vector<std::size_t> widths = {})
      : out_(out), style_(style), widths_(std::move(widths)) {}
  void row(const std::vector<std::string>& cells);

 private:
  Writer& out_;
  Style style_;
  std::vector<std::size_t> widths_;
};

}  // namespace pier

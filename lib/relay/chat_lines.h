// What a broker's clients say, line by line: `<ID> ` before each, and nothing in it that a terminal obeys.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace pier {

// The lines of one speaker. A line is held back until it is whole, so that no other's gets in between; one
// longer than kMostLine is passed on in parts that are lines of their own. Control characters but TAB, and CR
// before the line feed, become \xHH; what is not ASCII is left as it is.
class ChatLines {
 public:
  static constexpr std::size_t kMostLine = 4096;

  explicit ChatLines(std::uint64_t id) : prefix_('<' + std::to_string(id) + "> ") {}

  // Appends the lines that are whole now to `out`.
  void add(std::span<const std::byte> bytes, std::string& out);
  // The speaker has ended: what was held back becomes a line.
  void end(std::string& out);

 private:
  void pass_on(std::string_view line, std::string& out) const;

  std::string prefix_;
  std::string held_;
};

}  // namespace pier

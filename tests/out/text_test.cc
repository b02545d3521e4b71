#include "out/text.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>

#include "base/fd.h"

namespace pier {
namespace {

std::string written(bool terminal, const std::vector<std::vector<std::string>>& rows,
                    const std::vector<std::size_t>& widths = {}) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const Fd read_end(ends[0]), write_end(ends[1]);
  Writer out(write_end.get());
  TextRows text(out, Style{.terminal = terminal, .color = terminal}, widths);
  for (const auto& row : rows) text.row(row);
  out.flush();
  std::array<char, 4096> buffer{};
  const ssize_t n = ::read(read_end.get(), buffer.data(), buffer.size());
  return n > 0 ? std::string(buffer.data(), static_cast<std::size_t>(n)) : std::string();
}

TEST(TextRows, PipedCellsAreSeparatedByOneTab) {
  EXPECT_EQ(written(false, {{"22", "tcp", ""}, {"8080", "", "x y"}}, {10}), "22\ttcp\t-\n8080\t-\tx y\n");
}

TEST(TextRows, TerminalColumnsWidenAsNeeded) {
  EXPECT_EQ(written(true, {{"22", "tcp", "a"}, {"6000-6063", "tcp", "b"}, {"1", "udp", "c"}}, {4}),
            "22    tcp  a\n6000-6063  tcp  b\n1          udp  c\n");
}

TEST(TextRows, WidthIsCountedInCharacters) {
  EXPECT_EQ(written(true, {{"ä", "1"}, {"bb", "2"}}, {2}), "ä   1\nbb  2\n");
}

TEST(TextRows, ForeignTextCannotForgeARowOrReachTheTerminal) {
  for (const bool terminal : {false, true})
    EXPECT_EQ(written(terminal, {{"a\nb\tc\x1b[2J\xff\xc2\x9b"}}), "a\\x0ab\\x09c\\x1b[2J\\xff\\xc2\\x9b\n");
}

}  // namespace
}  // namespace pier

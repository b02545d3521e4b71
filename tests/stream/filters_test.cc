#include "stream/filters.h"

#include <gtest/gtest.h>

#include <string>

namespace pier {
namespace {

std::string through(std::initializer_list<std::string> pieces) {
  CrlfFilter filter;
  std::vector<std::byte> out;
  for (const std::string& piece : pieces) filter.apply(std::as_bytes(std::span(piece)), out);
  return {reinterpret_cast<const char*>(out.data()), out.size()};
}

TEST(CrlfFilter, AddsCrToABareLf) {
  EXPECT_EQ(through({"a\nb\n"}), "a\r\nb\r\n");
  EXPECT_EQ(through({"\n\n"}), "\r\n\r\n");
}

TEST(CrlfFilter, LeavesAPairAloneEvenWhenItIsSplit) {
  EXPECT_EQ(through({"a\r\nb"}), "a\r\nb");
  EXPECT_EQ(through({"a\r", "\nb"}), "a\r\nb");
  EXPECT_EQ(through({"a\r", "b\n"}), "a\rb\r\n");
}

}  // namespace
}  // namespace pier

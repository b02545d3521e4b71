#include "base/escapes.h"

#include <gtest/gtest.h>

namespace pier {
namespace {

TEST(Escapes, StandForOneByteEach) {
  EXPECT_EQ(parse_escapes("PING\\r\\n", "x"), "PING\r\n");
  EXPECT_EQ(parse_escapes("", "x"), "");
  EXPECT_EQ(parse_escapes("a\\tb\\\\n", "x"), "a\tb\\n");
  EXPECT_EQ(parse_escapes("\\0\\x00\\xfF\\x41", "x"), std::string("\0\0\xff"
                                                                  "A",
                                                                  4));
  EXPECT_EQ(parse_escapes("tab\tstays, ü too", "x"), "tab\tstays, ü too");
}

TEST(Escapes, OthersAreRefused) {
  for (const char* text : {"\\", "a\\", "\\q", "\\x", "\\x4", "\\x4g", "\\xg4", "\\\\\\"}) {
    const auto bytes = parse_escapes(text, "--send-text");
    ASSERT_FALSE(bytes) << text;
    EXPECT_EQ(bytes.error().kind, ErrorKind::usage);
    EXPECT_TRUE(bytes.error().message().starts_with("--send-text '")) << bytes.error().message();
  }
}

}  // namespace
}  // namespace pier

#include "base/pattern.h"

#include <gtest/gtest.h>

namespace pier {
namespace {

TEST(Pattern, MatchesSomewhereInAnyCase) {
  const Pattern pattern = Pattern::compile("^https?$|mqtt", "--service").value();
  EXPECT_TRUE(pattern.matches("http"));
  EXPECT_TRUE(pattern.matches("HTTPS"));
  EXPECT_TRUE(pattern.matches("secure-mqtt"));
  EXPECT_FALSE(pattern.matches("http-alt"));
  EXPECT_FALSE(pattern.matches(""));
}

TEST(Pattern, LooksAtTheGivenPartOfTheTextOnly) {
  const std::string_view text = "https";
  EXPECT_FALSE(Pattern::compile("s", "x")->matches(text.substr(0, 4)));
  EXPECT_TRUE(Pattern::compile("p$", "x")->matches(text.substr(0, 4)));
}

TEST(Pattern, LinesAsGrepHasThem) {
  const Pattern pattern = Pattern::compile("^220 .*ready$", "x", Pattern::Mode::lines).value();
  EXPECT_TRUE(pattern.matches("220 ready"));
  EXPECT_TRUE(pattern.matches("220-hello\n220 is ready\nmore"));
  EXPECT_FALSE(pattern.matches("220 not\nready"));
  EXPECT_FALSE(pattern.matches("220 READY"));
  EXPECT_TRUE(Pattern::compile("c", "x", Pattern::Mode::lines)->matches(std::string_view("a\0b\0c", 5)));
}

TEST(Pattern, ABadOneIsQuoted) {
  const auto pattern = Pattern::compile("a(b", "--service");
  ASSERT_FALSE(pattern);
  EXPECT_EQ(pattern.error().kind, ErrorKind::usage);
  EXPECT_TRUE(pattern.error().message().starts_with("--service 'a(b': not a regular expression: "));
}

}  // namespace
}  // namespace pier

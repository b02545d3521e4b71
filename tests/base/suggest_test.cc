#include "base/suggest.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "base/error.h"
#include "base/utf8.h"

namespace pier {
namespace {

TEST(Suggest, DistanceCountsEditsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("htpp", "http"), 1u);
  EXPECT_EQ(edit_distance("ab", "ba"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Suggest, OffersOnlyWhatIsNear) {
  constexpr std::string_view kNames[] = {"listen", "connect", "scan"};
  EXPECT_EQ(nearest("lisetn", kNames), "listen");
  EXPECT_EQ(nearest("conn", kNames), "connect");
  EXPECT_EQ(nearest("frobnicate", kNames), "");
  EXPECT_EQ(nearest("", kNames), "");
}

TEST(Error, MessageNamesCallSubjectAndReason) {
  EXPECT_EQ(system_error("connect", "10.0.0.1:80", ECONNREFUSED).error().message(),
            "connect 10.0.0.1:80: connection refused");
  EXPECT_EQ(usage_error("port", "80abc", "not a number").error().message(), "port '80abc': not a number");
  EXPECT_EQ(fail(ErrorKind::usage, "no port", "", "give one").error().message(), "no port: give one");
}

TEST(Error, ForeignTextStaysOneLineAndValid) {
  EXPECT_EQ(quoted("a\nb\x1b[31m"), "'a\\x0ab\\x1b[31m'");
  EXPECT_EQ(quoted("\xff\xc3\xa9"), "'\\xff\xc3\xa9'");
  EXPECT_EQ(utf8_length("\xe2\x82\xac"), 3u);
  EXPECT_EQ(utf8_length("\xed\xa0\x80"), 0u);      // a surrogate
  EXPECT_EQ(utf8_length("\xc0\x80"), 0u);          // overlong
  EXPECT_EQ(utf8_length("\xf4\x90\x80\x80"), 0u);  // above U+10FFFF
}

}  // namespace
}  // namespace pier

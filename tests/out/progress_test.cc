#include "out/progress.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pier {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{};

TEST(Progress, RedrawsAtMostTenTimesASecond) {
  std::string seen;
  Progress progress({.terminal = true, .redraws = true}, [&](std::string_view text) { seen += text; });
  progress.draw("1%", kStart);
  EXPECT_EQ(seen, "\r1%\x1b[K");
  EXPECT_FALSE(progress.due(kStart + 99ms));
  progress.draw("2%", kStart + 99ms);
  EXPECT_EQ(seen, "\r1%\x1b[K");
  EXPECT_TRUE(progress.due(kStart + 100ms));
  progress.draw("3%", kStart + 100ms);
  EXPECT_EQ(seen, "\r1%\x1b[K\r3%\x1b[K");
}

TEST(Progress, ErasesItselfOnceAndIsDueAgain) {
  std::string seen;
  {
    Progress progress({.terminal = true, .redraws = true}, [&](std::string_view text) { seen += text; });
    progress.erase();
    EXPECT_EQ(seen, "");
    progress.draw("a", kStart);
    progress.erase();
    EXPECT_TRUE(progress.due(kStart));
    seen.clear();
    progress.draw("b", kStart);
  }
  EXPECT_EQ(seen, "\rb\x1b[K\r\x1b[K");
}

TEST(Progress, IsSilentWhereALineCannotBeRedrawn) {
  for (const Style& style : {Style{}, Style{.terminal = true, .color = true}}) {
    std::string seen;
    {
      Progress progress(style, [&](std::string_view text) { seen += text; });
      EXPECT_FALSE(progress.due(kStart));
      progress.draw("x", kStart);
    }
    EXPECT_EQ(seen, "");
  }
}

TEST(Progress, StaysOneLineOfTheTerminal) {
  std::string seen;
  Progress progress({.terminal = true, .redraws = true, .width = 6},
                    [&](std::string_view text) { seen += text; });
  progress.draw("ä€😀xyz", kStart);
  EXPECT_EQ(seen, "\rä€😀xy\x1b[K");
  seen.clear();
  progress.draw("a\n\x1b", kStart + 1s);
  EXPECT_EQ(seen, "\ra\\x0a\x1b[K");
}

TEST(Progress, ABarIsFilledByItsFraction) {
  EXPECT_EQ(progress_bar(0, 4), "▕    ▏");
  EXPECT_EQ(progress_bar(0.5, 4), "▕██  ▏");
  EXPECT_EQ(progress_bar(0.99, 4), "▕███ ▏");
  EXPECT_EQ(progress_bar(1, 4), "▕████▏");
  EXPECT_EQ(progress_bar(7, 2), "▕██▏");
  EXPECT_EQ(progress_bar(-1, 2), "▕  ▏");
  EXPECT_EQ(progress_bar(std::nan(""), 2), "▕  ▏");
}

}  // namespace
}  // namespace pier

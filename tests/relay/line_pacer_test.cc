#include "relay/line_pacer.h"

#include <csignal>
#include <string>
#include <vector>

#include "stream/stdio.h"
#include "tests/relay/fixture.h"

namespace pier {
namespace {

struct Arrived {
  std::string text;
  TimePoint when;
};

// What a pacer gives of `text`, read by read, up to its end.
std::vector<Arrived> paced(const std::string& text, Duration pause) {
  std::signal(SIGPIPE, SIG_IGN);
  Loop loop;
  FdPair input = make_pipe();
  put(input.second, text);
  input.second.reset();
  StdioStream from(input.first.get(), -1);
  LinePacer pacer(loop, from, pause);
  EXPECT_TRUE(pacer.start());
  std::vector<Arrived> arrived;
  const Watch watch =
      loop.watch(pacer.fd(), Interest::read,
                 [&](Ready) {
                   char buffer[65536];
                   const ssize_t n = ::read(pacer.fd(), buffer, sizeof buffer);
                   if (n <= 0) return loop.stop();
                   arrived.push_back({std::string(buffer, static_cast<std::size_t>(n)), now()});
                 })
          .value();
  run_guarded(loop);
  EXPECT_EQ(pacer.failure(), 0);
  return arrived;
}

TEST(LinePacer, GivesOneLineAfterAnother) {
  constexpr Duration kPause = std::chrono::milliseconds(30);
  const auto arrived = paced("one\n\ntwo", kPause);
  ASSERT_EQ(arrived.size(), 3u);
  EXPECT_EQ(arrived[0].text, "one\n");
  EXPECT_EQ(arrived[1].text, "\n");
  EXPECT_EQ(arrived[2].text, "two");
  for (std::size_t i = 1; i < arrived.size(); ++i)
    EXPECT_GE(arrived[i].when - arrived[0].when, kPause * static_cast<int>(i) - std::chrono::milliseconds(5));
}

TEST(LinePacer, AnEmptyInputIsItsEnd) {
  EXPECT_TRUE(paced("", std::chrono::hours(1)).empty());
}

TEST(LinePacer, TheEndWaitsForNothing) {
  EXPECT_EQ(paced("only\n", std::chrono::hours(1)).size(), 1u);
}

TEST(LinePacer, ALineLargerThanAPipeComesWhole) {
  const std::string line(60'000, 'x');  // as much as a pipe's writer may give at once here
  std::string all;
  for (const Arrived& one : paced(line + "\n", std::chrono::milliseconds(1))) all += one.text;
  EXPECT_EQ(all, line + "\n");
}

}  // namespace
}  // namespace pier

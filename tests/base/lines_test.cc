#include "base/lines.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "base/fd.h"

namespace pier {
namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    in = Fd(ends[0]);
    out = Fd(ends[1]);
  }
  Fd in, out;
};

struct Seen {
  std::vector<std::string> lines;
  std::string error;
};

// What is seen of `text` written into a pipe in pieces of `piece` bytes.
Seen read_all(std::string_view text, std::size_t piece) {
  Pipe pipe;
  std::thread writer([&] {
    for (std::size_t at = 0; at < text.size(); at += piece) {
      const std::string_view part = text.substr(at, piece);
      EXPECT_EQ(::write(pipe.out.get(), part.data(), part.size()), static_cast<ssize_t>(part.size()));
    }
    pipe.out.reset();
  });
  Seen seen;
  const auto read = read_lines(
      pipe.in.get(), [] { return true; }, [&](std::string_view line) { seen.lines.emplace_back(line); });
  if (!read) seen.error = read.error().message();
  pipe.in.reset();
  writer.join();
  return seen;
}

TEST(Lines, AreTheSameHoweverTheyArrive) {
  const std::string text = std::string("a\n\nbc\n") + std::string(100'000, 'x') + "\nlast";
  const std::vector<std::string> want{"a", "", "bc", std::string(100'000, 'x'), "last"};
  for (const std::size_t piece : {1000U, 4096U, 60'000U}) EXPECT_EQ(read_all(text, piece).lines, want);
  EXPECT_EQ(read_all("a\n\nbc\n", 1).lines, (std::vector<std::string>{"a", "", "bc"}));
}

TEST(Lines, NothingIsNoLine) {
  EXPECT_TRUE(read_all("", 1).lines.empty());
  EXPECT_EQ(read_all("\n", 1).lines, std::vector<std::string>{""});
}

TEST(Lines, BytesComeAsTheyAre) {
  const std::string text("\0\xff\r\n\t \n", 6);
  EXPECT_EQ(read_all(text, 2).lines, (std::vector<std::string>{std::string("\0\xff\r", 3), "\t "}));
}

TEST(Lines, StopWhereAskedTo) {
  Pipe pipe;
  ASSERT_EQ(::write(pipe.out.get(), "a\nb\n", 4), 4);
  int reads = 0;
  std::vector<std::string> lines;
  const auto read = read_lines(
      pipe.in.get(), [&] { return ++reads == 1; }, [&](std::string_view line) { lines.emplace_back(line); });
  EXPECT_TRUE(read);
  EXPECT_EQ(lines, (std::vector<std::string>{"a", "b"}));
}

TEST(Lines, WhatCannotBeReadIsAnError) {
  const auto read = read_lines(-1, [] { return true; }, [](std::string_view) { FAIL(); });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::local);
  EXPECT_EQ(read.error().message(), "read: bad file descriptor");
}

}  // namespace
}  // namespace pier

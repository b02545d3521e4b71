#include "out/writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "base/fd.h"

namespace pier {
namespace {

struct Pipe {
  Fd read, write;
};

Pipe make_pipe(int flags = 0) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC | flags), 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

// What is in the pipe now, without waiting for more.
std::string available(const Fd& fd) {
  std::array<char, 4096> buffer{};
  EXPECT_EQ(::fcntl(fd.get(), F_SETFL, O_NONBLOCK), 0);
  const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
  return n > 0 ? std::string(buffer.data(), static_cast<std::size_t>(n)) : std::string();
}

TEST(Writer, KeepsTextBackUntilFlushed) {
  const Pipe pipe = make_pipe();
  Writer out(pipe.write.get());
  out.put("one ");
  out.line("two");
  EXPECT_EQ(available(pipe.read), "");
  out.flush();
  EXPECT_EQ(available(pipe.read), "one two\n");
  EXPECT_TRUE(out.ok());
}

TEST(Writer, FlushesEachLineWhereAsked) {
  const Pipe pipe = make_pipe();
  Writer out(pipe.write.get(), true);
  out.put("begun ");
  EXPECT_EQ(available(pipe.read), "");
  out.line("ended");
  EXPECT_EQ(available(pipe.read), "begun ended\n");
}

TEST(Writer, KeepsTheFirstFailureAndWritesNoMore) {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe = make_pipe();
  pipe.read.reset();
  Writer out(pipe.write.get());
  out.line("lost");
  EXPECT_TRUE(out.ok());
  out.flush();
  EXPECT_EQ(out.failure(), EPIPE);
  out.line("more");
  out.flush();
  EXPECT_EQ(out.failure(), EPIPE);
}

TEST(Writer, SaysThatADiskIsFull) {
  const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.valid());
  Writer out(full.get());
  out.put(std::string(100'000, 'x'));  // more than a block: written at once
  EXPECT_EQ(out.failure(), ENOSPC);
}

}  // namespace
}  // namespace pier

#include "base/bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace pier {
namespace {

std::span<const std::byte> bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(ByteQueue, KeepsOrderWhileItWrapsAndNeverGrows) {
  ByteQueue queue(8);
  std::string in, out;
  for (int round = 0; round < 100; ++round) {
    const std::string piece(1 + static_cast<std::size_t>(round) % 5, static_cast<char>('a' + round % 26));
    if (queue.append(bytes(piece))) in += piece;
    EXPECT_LE(queue.size(), 8u);
    EXPECT_EQ(queue.size() + queue.free(), 8u);
    const auto data = queue.data();
    const std::size_t n = std::min<std::size_t>(data.size(), 1 + static_cast<std::size_t>(round) % 3);
    out.append(reinterpret_cast<const char*>(data.data()), n);
    queue.consume(n);
  }
  out.append(reinterpret_cast<const char*>(queue.data().data()), queue.size());
  EXPECT_EQ(out, in);
  EXPECT_GT(in.size(), 100u);
}

TEST(ByteQueue, TakesAllOrNothing) {
  ByteQueue queue(4);
  EXPECT_TRUE(queue.append(bytes("abc")));
  EXPECT_FALSE(queue.append(bytes("de")));
  EXPECT_EQ(queue.size(), 3u);
  queue.consume(2);
  EXPECT_TRUE(queue.append(bytes("de")));
  EXPECT_EQ(queue.size(), 3u);
}

TEST(ByteQueue, PrepareIsEmptyOnlyWhenFull) {
  ByteQueue queue(4);
  queue.append(bytes("abcd"));
  EXPECT_TRUE(queue.prepare().empty());
  queue.consume(1);
  EXPECT_EQ(queue.prepare().size(), 1u);
}

}  // namespace
}  // namespace pier

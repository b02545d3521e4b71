#include "relay/way.h"

#include <gtest/gtest.h>

namespace pier {
namespace {

using enum FdKind;

TEST(Way, IsChosenByTheTwoKinds) {
  struct Row {
    FdKind from;
    FdKind to;
    Way way;
  };
  constexpr Row kTable[] = {
      {regular, regular, Way::copy},
      {regular, null_device, Way::copy},
      {regular, terminal, Way::copy},
      {regular, pipe, Way::splice},
      {regular, socket, Way::sendfile},
      {regular, other, Way::copy},
      {null_device, regular, Way::copy},
      {null_device, null_device, Way::copy},
      {null_device, terminal, Way::copy},
      {null_device, pipe, Way::copy},
      {null_device, socket, Way::copy},
      {null_device, other, Way::copy},
      {terminal, regular, Way::copy},
      {terminal, null_device, Way::copy},
      {terminal, terminal, Way::copy},
      {terminal, pipe, Way::copy},
      {terminal, socket, Way::copy},
      {terminal, other, Way::copy},
      {pipe, regular, Way::splice},
      {pipe, null_device, Way::splice},
      {pipe, terminal, Way::copy},
      {pipe, pipe, Way::splice},
      {pipe, socket, Way::splice},
      {pipe, other, Way::copy},
      {socket, regular, Way::splice_through},
      {socket, null_device, Way::splice_through},
      {socket, terminal, Way::copy},
      {socket, pipe, Way::splice},
      {socket, socket, Way::splice_through},
      {socket, other, Way::copy},
      {other, regular, Way::copy},
      {other, null_device, Way::copy},
      {other, terminal, Way::copy},
      {other, pipe, Way::copy},
      {other, socket, Way::copy},
      {other, other, Way::copy},
  };
  static_assert(std::size(kTable) == 36);
  for (const Row& row : kTable) {
    EXPECT_EQ(choose_way(row.from, row.to, false), row.way)
        << static_cast<int>(row.from) << " to " << static_cast<int>(row.to);
    EXPECT_EQ(choose_way(row.from, row.to, true), Way::copy);  // a filter, a tap or TLS
  }
  static_assert(choose_way(regular, socket, false) == Way::sendfile);  // known at compile time
}

TEST(Way, IsToldToPeople) {
  EXPECT_EQ(describe(Way::sendfile, "a.bin", regular, "the socket", socket),
            "a.bin (a file) to the socket: moved by the kernel");
  EXPECT_EQ(describe(Way::splice_through, "the socket", socket, "standard output", null_device),
            "the socket to standard output (/dev/null): moved by the kernel, through a pipe of ours");
  EXPECT_EQ(describe(Way::copy, "standard input", terminal, "the socket", other),
            "standard input (a terminal) to the socket: copied through a buffer of ours");
  EXPECT_EQ(call_name(Way::sendfile), "sendfile");
  EXPECT_EQ(call_name(Way::splice), "splice");
  EXPECT_EQ(call_name(Way::splice_through), "splice");
  EXPECT_EQ(call_name(Way::copy), "read");
}

}  // namespace
}  // namespace pier

#include "stream/telnet.h"

#include <gtest/gtest.h>

namespace pier {
namespace {

using namespace std::string_literals;

struct Row {
  std::string in, data, replies;
};
const Row kRows[] = {
    {"plain\r\n", "plain\r\n", ""},
    {"\xff\xfd\x18login: ", "login: ", "\xff\xfc\x18"},            // DO: WONT
    {"\xff\xfb\x01x", "x", "\xff\xfe\x01"},                        // WILL: DONT
    {"\xff\xfe\x01\xff\xfc\x03y", "y", ""},                        // DONT, WONT: nothing
    {"a\xff\xff"s + "b", "a\xff"s + "b", ""},                      // a doubled IAC is data
    {"a\xff\xf9\xff\xf1z", "az", ""},                              // GA, NOP
    {"a\xff\xfa\x18\x01\xff\xff\xff\xf0z", "az", ""},              // a subnegotiation
    {"a\r\0z\0"s, "a\rz\0"s, ""},                                  // CR NUL is CR
    {"\xff\xfd\xff\xff\xfb\xf0", "", "\xff\xfc\xff\xff\xfe\xf0"},  // options of any number
};

TEST(TelnetTest, AllOptionsAreRefusedAndDataIsKept) {
  for (const Row& row : kRows) {
    for (std::size_t piece = 1; piece <= row.in.size(); ++piece) {
      TelnetFilter filter;
      std::string data, replies;
      for (std::size_t at = 0; at < row.in.size(); at += piece) {
        std::string part = row.in.substr(at, piece);
        const std::size_t kept = filter.take(std::as_writable_bytes(std::span(part)), replies);
        data += part.substr(0, kept);
      }
      EXPECT_EQ(data, row.data) << piece;
      EXPECT_EQ(replies, row.replies) << piece;
    }
  }
}

TEST(TelnetTest, DataThatLooksLikeACommandIsDoubled) {
  std::string out;
  const std::string in = "a\xff\xfd"s + "b";
  TelnetFilter::put(out, std::as_bytes(std::span(in)));
  EXPECT_EQ(out, "a\xff\xff\xfd"s + "b");
}

}  // namespace
}  // namespace pier

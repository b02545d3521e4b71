#include "out/hex_dump.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

namespace pier {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string dump(std::string_view text, std::uint64_t offset = 0) {
  std::string out;
  append_hex_dump(out, offset, bytes_of(text));
  return out;
}

std::string all_values() {
  std::string text;
  for (int value = 0; value < 256; ++value) text += static_cast<char>(value);
  return text;
}

// What hexdump(1) prints of `text` standing at `offset` of a file, less its last line, the end's offset.
std::string by_hexdump(const std::string& text, std::uint64_t offset) {
  char path[] = "/tmp/pier-hex-XXXXXX";
  const int fd = ::mkstemp(path);
  EXPECT_GE(fd, 0);
  const std::string whole = std::string(offset, 'x') + text;
  EXPECT_EQ(::write(fd, whole.data(), whole.size()), static_cast<ssize_t>(whole.size()));
  ::close(fd);
  const std::string command = "hexdump -Cv -s " + std::to_string(offset) + " " + path;
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string out;
  char block[4096];
  while (const std::size_t n = std::fread(block, 1, sizeof block, pipe.get())) out.append(block, n);
  ::unlink(path);
  const std::size_t last = out.rfind('\n', out.size() - 2);
  return last == std::string::npos ? std::string() : out.substr(0, last + 1);
}

TEST(HexDump, LinesAreThoseOfHexdump) {
  if (std::system("hexdump -C /dev/null >/dev/null 2>&1") != 0) GTEST_SKIP() << "hexdump is not installed";
  const std::string all = all_values();
  for (const std::string& text :
       {std::string("a"), std::string("hello\n"), std::string("sevenby"), std::string("eight by"),
        std::string("nine byte"), std::string("fifteen bytes.."), std::string("sixteen bytes..."),
        std::string("seventeen bytes.."), all, std::string(48, '\0')})
    for (const std::uint64_t offset : {0U, 1U, 5U, 16U, 4097U})
      EXPECT_EQ(dump(text, offset), by_hexdump(text, offset)) << text.size() << " bytes at " << offset;
}

TEST(HexDump, OffsetsBeyondEightDigitsGrow) {
  EXPECT_EQ(dump("a", 0x123456789), "123456789  61                                                |a|\n");
}

TEST(HexDump, NothingIsNoLine) {
  EXPECT_EQ(dump(""), "");
}

TEST(HexDump, EachDirectionRunsOn) {
  char path[] = "/tmp/pier-hex-XXXXXX";
  ::close(::mkstemp(path));
  {
    const auto log = HexDump::open(path, false, [](const Error&) {}).value();
    auto in = log->tap('<', "peer");
    auto out = log->tap('>', "peer");
    in(bytes_of("abc"));
    out(bytes_of("AB"));
    in(bytes_of("d"));
  }
  std::ifstream file(path);
  std::string line, headings, lines;
  while (std::getline(file, line)) {
    if (line.front() == '<' || line.front() == '>')
      headings += line.front();
    else
      lines += line.substr(0, 8) + line.substr(line.find('|')) + " ";
  }
  ::unlink(path);
  EXPECT_EQ(headings, "<><");
  EXPECT_EQ(lines, "00000000|abc| 00000000|AB| 00000003|d| ");
}

TEST(HexDump, AFullDiskIsToldOnce) {
  int told = 0;
  const auto log = HexDump::open("/dev/full", false, [&](const Error& error) {
                     ++told;
                     EXPECT_EQ(error.kind, ErrorKind::local);
                     EXPECT_EQ(error.code, ENOSPC);
                   }).value();
  auto tap = log->tap('<', "peer");
  tap(bytes_of("a"));
  tap(bytes_of("b"));
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace pier

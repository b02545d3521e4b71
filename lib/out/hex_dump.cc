#include "out/hex_dump.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "out/utc_time.h"

namespace pier {
namespace {

constexpr std::size_t kLine = 16;
constexpr std::size_t kColumns = 49;  // two groups of eight "xx ", and the blank between them

void append_line(std::string& out, std::uint64_t offset, std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  fmt::format_to(std::back_inserter(out), "{:08x}  ", offset);
  const std::size_t begin = out.size();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == kLine / 2) out += ' ';
    const auto value = std::to_integer<unsigned>(bytes[i]);
    out += kDigits[value / 16];
    out += kDigits[value % 16];
    out += ' ';
  }
  out.append(begin + kColumns - out.size(), ' ');
  out += " |";
  for (const std::byte byte : bytes) {
    const char c = std::to_integer<char>(byte);
    out += c >= ' ' && c <= '~' ? c : '.';
  }
  out += "|\n";
}

}  // namespace

void append_hex_dump(std::string& out, std::uint64_t offset, std::span<const std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += kLine)
    append_line(out, offset + at, bytes.subspan(at, std::min(kLine, bytes.size() - at)));
}

Result<std::unique_ptr<HexDump>> HexDump::open(const std::string& where, bool stdout_is_free,
                                               std::function<void(const Error&)> failed) {
  auto sink = open_sink("--hex-dump", where, stdout_is_free);
  if (!sink) return std::unexpected(sink.error());
  return std::unique_ptr<HexDump>(new HexDump(std::move(*sink), where, std::move(failed)));
}

HexDump::Tap HexDump::tap(char mark, std::string peer) {
  return [this, mark, peer = std::move(peer),
          offset = std::uint64_t{0}](std::span<const std::byte> bytes) mutable {
    write(mark, peer, offset, bytes);
    offset += bytes.size();
  };
}

void HexDump::write(char mark, const std::string& peer, std::uint64_t offset,
                    std::span<const std::byte> bytes) {
  if (!writer_.ok()) return;
  std::string text = fmt::format("{} {} {}\n", mark, utc_now_text(), peer);
  append_hex_dump(text, offset, bytes);
  writer_.put(text);
  writer_.flush();
  if (!writer_.ok()) failed_(Error{ErrorKind::local, "write", quoted(where_), writer_.failure(), {}});
}

}  // namespace pier

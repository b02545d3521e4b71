#include "host/proc_net.h"

#include <fmt/core.h>

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <span>

#include "base/number.h"
#include "base/proc_file.h"

namespace pier {
namespace {

// Columns of a line, counted in words.
constexpr std::size_t kLocal = 1;
constexpr std::size_t kRemote = 2;
constexpr std::size_t kState = 3;
constexpr std::size_t kUid = 7;
constexpr std::size_t kInode = 9;
constexpr std::size_t kWords = kInode + 1;  // what follows differs between kernels and protocols

// The next line of `text`, which loses it.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::size_t split(std::string_view line, std::span<std::string_view> words) {
  std::size_t count = 0;
  while (count < words.size()) {
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find(' '), line.size());
    words[count++] = line.substr(0, end);
    line.remove_prefix(end);
  }
  return count;
}

// `text` is exactly as many hexadecimal digits as the number has.
template <class Number>
bool parse_hex(std::string_view text, Number& value) {
  if (text.size() != 2 * sizeof(Number)) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return error == std::errc() && end == text.data() + text.size();
}

// "0100007F:1F90": each 32 bits of the address as one number of this machine's byte order, the port as a
// plain number.
bool parse_address(std::string_view text, Family family, SocketAddress& address) {
  const std::size_t digits = family == Family::ipv4 ? 8 : 32;
  if (text.size() != digits + 5 || text[digits] != ':') return false;
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t at = 0; at < digits; at += 8) {
    std::uint32_t word = 0;
    if (!parse_hex(text.substr(at, 8), word)) return false;
    std::memcpy(bytes.data() + at / 2, &word, sizeof word);
  }
  std::uint16_t port = 0;
  if (!parse_hex(text.substr(digits + 1), port)) return false;
  address = SocketAddress(IpAddress(family, std::span(bytes).first(digits / 2)), port);
  return true;
}

bool parse_line(std::string_view line, SocketInfo& socket) {
  std::array<std::string_view, kWords> words;
  if (split(line, words) != kWords || words[0].empty() || words[0].back() != ':') return false;
  std::uint8_t state = 0;
  if (!parse_address(words[kLocal], socket.family, socket.local)) return false;
  if (!parse_address(words[kRemote], socket.family, socket.remote)) return false;
  if (!parse_hex(words[kState], state)) return false;
  if (state < 1 || state > static_cast<std::uint8_t>(SocketState::bound)) return false;
  const auto uid = parse_unsigned(words[kUid], 0, UINT32_MAX, "uid");
  const auto inode = parse_unsigned(words[kInode], 0, UINT64_MAX, "inode");
  if (!uid || !inode) return false;
  socket.state = static_cast<SocketState>(state);
  socket.uid = static_cast<std::uint32_t>(*uid);
  socket.inode = *inode;
  return true;
}

}  // namespace

Result<std::vector<SocketInfo>> parse_proc_net(std::string_view text, Transport transport, Family family) {
  std::vector<SocketInfo> sockets;
  take_line(text);  // the heading
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    SocketInfo socket;
    socket.transport = transport;
    socket.family = family;
    if (!parse_line(line, socket)) {
      return fail(ErrorKind::local, "read", "/proc/net", fmt::format("unknown line {}", quoted(line)));
    }
    sockets.push_back(socket);
  }
  return sockets;
}

Result<std::vector<SocketInfo>> read_proc_net(Transport transport, Family family, const SocketQuery& query) {
  // The entry of this thread: /proc/net itself is that of the process's first thread.
  const std::string path =
      fmt::format("/proc/thread-self/net/{}{}", transport == Transport::tcp ? "tcp" : "udp",
                  family == Family::ipv4 ? "" : "6");
  const auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  auto sockets = parse_proc_net(*text, transport, family);
  if (sockets && query.local_port) {
    std::erase_if(*sockets, [&](const SocketInfo& s) { return s.local.port() != *query.local_port; });
  }
  return sockets;
}

}  // namespace pier

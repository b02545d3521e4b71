#include "host/proc_net.h"

#include <fmt/core.h>
#include <sys/socket.h>

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
// And of a line of /proc/net/unix.
constexpr std::size_t kUnixFlags = 3;
constexpr std::size_t kUnixType = 4;
constexpr std::size_t kUnixState = 5;
constexpr std::size_t kUnixInode = 6;
constexpr std::uint8_t kUnixConnected = 3;           // SS_CONNECTED of linux/net.h
constexpr std::uint32_t kUnixListens = 0x0001'0000;  // __SO_ACCEPTCON, the same
constexpr std::size_t kWords = kInode + 1;           // what follows differs between kernels and protocols

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

// "00000000dba12345: 00000002 00000000 00010000 0001 01 4242 /run/x.sock": the name is the rest of the line,
// with "@" for each NUL, and missing where there is none.
bool parse_unix_line(std::string_view line, SocketInfo& socket) {
  std::array<std::string_view, kUnixInode + 1> words;
  if (split(line, words) != words.size() || words[0].back() != ':') return false;
  std::uint32_t flags = 0;
  std::uint16_t type = 0;
  std::uint8_t connection = 0;
  if (!parse_hex(words[kUnixFlags], flags) || !parse_hex(words[kUnixType], type)) return false;
  if (!parse_hex(words[kUnixState], connection)) return false;
  const auto inode = parse_unsigned(words[kUnixInode], 0, UINT64_MAX, "inode");
  if (!inode) return false;
  socket.transport = type == SOCK_DGRAM ? Transport::unix_dgram : Transport::unix_stream;
  socket.seqpacket = type == SOCK_SEQPACKET;
  socket.inode = *inode;
  socket.state = connection == kUnixConnected  ? SocketState::established
                 : (flags & kUnixListens) != 0 ? SocketState::listen
                                               : SocketState::close;
  const char* rest = words[kUnixInode].data() + words[kUnixInode].size();
  std::string_view name(rest, static_cast<std::size_t>(line.data() + line.size() - rest));
  if (name.starts_with(' ')) name.remove_prefix(1);
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  socket.local = socket.remote = SocketAddress::from(storage, sizeof(sa_family_t));
  if (const auto named = SocketAddress::unix_path(name)) socket.local = *named;
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

std::vector<SocketInfo> parse_proc_net_unix(std::string_view text) {
  std::vector<SocketInfo> sockets;
  take_line(text);
  while (!text.empty()) {
    SocketInfo socket;
    if (parse_unix_line(take_line(text), socket)) sockets.push_back(socket);
  }
  return sockets;
}

Result<std::vector<SocketInfo>> read_proc_net(std::string_view folder, Transport transport, Family family,
                                              const SocketQuery& query) {
  const std::string path = fmt::format("{}/{}{}", folder, transport == Transport::tcp ? "tcp" : "udp",
                                       family == Family::ipv4 ? "" : "6");
  const auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  auto sockets = parse_proc_net(*text, transport, family);
  if (sockets && query.local_port) {
    std::erase_if(*sockets, [&](const SocketInfo& s) { return s.local.port() != *query.local_port; });
  }
  return sockets;
}

Result<std::vector<SocketInfo>> read_proc_net_unix(std::string_view folder) {
  const auto text = read_file(fmt::format("{}/unix", folder));
  if (!text) return std::unexpected(text.error());
  return parse_proc_net_unix(*text);
}

}  // namespace pier

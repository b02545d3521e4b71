// nc's command line: one letter an option, read by getopt(3) as nc reads it, and checked before any socket
// exists.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/address.h"
#include "net/options.h"

namespace pier::nc {

enum class ProxyKind : unsigned char { socks4, socks5, http };

struct Options {
  std::optional<Family> family = {};              // -4, -6
  bool listen = false;                            // -l
  bool keep_open = false;                         // -k
  bool datagrams = false;                         // -u
  bool unix_domain = false;                       // -U
  bool scan = false;                              // -z
  bool verbose = false;                           // -v
  bool numeric = false;                           // -n
  bool no_input = false;                          // -d
  bool crlf = false;                              // -C
  bool telnet = false;                            // -t
  bool half_close = false;                        // -N
  bool pass_socket = false;                       // -F
  bool signed_segments = false;                   // -S
  std::optional<Duration> timeout = {};           // -w
  std::optional<Duration> interval = {};          // -i
  std::optional<Duration> quit = {};              // -q
  std::optional<std::uint64_t> packets = {};      // -W
  SocketOptions socket = {};                      // -I -O -M -m -T -D -b
  std::string source = {};                        // -s
  std::optional<std::uint16_t> source_port = {};  // -p
  std::optional<ProxyKind> proxy_kind = {};       // -X
  std::string proxy_host = {};                    // -x
  std::uint16_t proxy_port = 0;
  std::string proxy_user = {};            // -P
  std::string host = {};                  // or the path of a Unix socket
  std::vector<std::uint16_t> ports = {};  // in the order in which they are tried; -l: one

  [[nodiscard]] bool through_proxy() const { return !proxy_host.empty(); }
};

// Why there is nothing to run: what to say, and the exit code.
struct Refusal {
  std::string message = {};  // empty: said already, by getopt(3)
  bool usage = false;        // the usage line belongs to it
};

// `words` as main() has them; getopt(3) moves them about.
[[nodiscard]] std::expected<Options, Refusal> read_options(int argc, char** argv, bool& help);

}  // namespace pier::nc

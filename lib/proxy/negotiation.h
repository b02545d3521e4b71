// A dialogue in front of a session (with a proxy, or before TLS), without any I/O: bytes go in, bytes to send
// and a verdict come out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace pier {

class Negotiation {
 public:
  virtual ~Negotiation() = default;

  // What came of the bytes given.
  struct Fed {
    // How many of them belonged to the dialogue. Less than all only when it is over: the rest is the peer's,
    // and must be kept.
    std::size_t consumed = 0;
    bool done = false;
  };

  // What is to be sent now; each byte is given once. To be asked for at the start and after each receive(),
  // also after one that failed: there may be a refusal to send.
  [[nodiscard]] std::string take_output() { return std::exchange(output_, {}); }

  // The next bytes from the other side, in pieces of any size. An error (ErrorKind::failed) ends the
  // dialogue. Neither is to be called again after it is over.
  [[nodiscard]] virtual Result<Fed> receive(std::string_view bytes) = 0;

 protected:
  std::string output_;
};

// A host by name or address literal (IPv6 without brackets), and a port: where a proxy is to connect.
struct ProxyTarget {
  std::string host = {};
  std::uint16_t port = 0;

  // "db:5432", "[::1]:80".
  [[nodiscard]] std::string to_string() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
  }
  friend bool operator==(const ProxyTarget&, const ProxyTarget&) = default;
};

// A name and a password for a proxy.
struct Credentials {
  std::string user = {};
  std::string password = {};
};

}  // namespace pier

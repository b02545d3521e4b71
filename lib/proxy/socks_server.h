// SOCKS 4, 4a and 5, the server's side: CONNECT only (RFC 1928, RFC 1929).
#pragma once

#include "proxy/proxy_server.h"

namespace pier {

// Which version it is tells the client's first byte. With `check`, SOCKS 5 asks for a name and password, and
// SOCKS 4, which has none, is refused.
class SocksServer final : public ProxyServer {
 public:
  explicit SocksServer(CheckCredentials check = {});

  [[nodiscard]] Result<Fed> receive(std::string_view bytes) override;
  void connected(const SocketAddress& local) override;
  void refuse(ProxyRefusal why) override;

 private:
  enum class Stage : unsigned char { version, socks4, methods, password, request };

  [[nodiscard]] std::size_t awaited() const;
  // True when the target is known.
  [[nodiscard]] Result<bool> judge();
  [[nodiscard]] Result<bool> judge_socks4();
  [[nodiscard]] Result<bool> judge_request();
  void reply5(unsigned code, const SocketAddress& address);

  CheckCredentials check_;
  Stage stage_ = Stage::version;
  std::string seen_;
};

}  // namespace pier

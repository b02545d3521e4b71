// An HTTP proxy that connects, the server's side: CONNECT and nothing else (RFC 9110, section 9.3.6).
#pragma once

#include "proxy/http_head.h"
#include "proxy/proxy_server.h"

namespace pier {

// Refusals are whole responses: 400 malformed, 405 another method, 407 a password is needed (Basic), 413 a
// head of more than 16 KiB, 414 a request line of more than 4 KiB; of refuse(): 403 not allowed, 502 not
// reached, 504 no answer.
class HttpProxyServer final : public ProxyServer {
 public:
  explicit HttpProxyServer(CheckCredentials check = {}) : check_(std::move(check)) {}

  [[nodiscard]] Result<Fed> receive(std::string_view bytes) override;
  void connected(const SocketAddress& local) override;
  void refuse(ProxyRefusal why) override;

 private:
  [[nodiscard]] std::unexpected<Error> refuse_request(unsigned status, std::string_view why);
  [[nodiscard]] Result<void> judge(const HttpHead& request);
  [[nodiscard]] bool is_known(const HttpHead& request) const;

  CheckCredentials check_;
  HttpHeadReader reader_;
};

}  // namespace pier

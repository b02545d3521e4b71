// HTTP CONNECT, the client's side (RFC 9110, section 9.3.6).
#pragma once

#include <cstdint>
#include <memory>

#include "proxy/http_auth.h"
#include "proxy/http_head.h"
#include "proxy/negotiation.h"

namespace pier {

class HttpConnectClient final : public Negotiation {
 public:
  // `auth` may be empty; it is shared by all dialogues with one proxy.
  explicit HttpConnectClient(ProxyTarget target, std::shared_ptr<HttpProxyAuth> auth = {});

  // Done means connected, or that again() is to be asked. What comes behind the head of a 2xx response is the
  // peer's.
  [[nodiscard]] Result<Fed> receive(std::string_view bytes) override;

  // Once done: the proxy has asked for a password and closes this connection, so the dialogue is to be begun
  // anew, with the same `auth`, on another.
  [[nodiscard]] bool again() const { return again_; }

 private:
  void ask();
  [[nodiscard]] Result<bool> judge(const HttpHead& response);
  [[nodiscard]] Result<bool> judge_challenge(const HttpHead& response, bool keeps_open);

  ProxyTarget target_;
  std::shared_ptr<HttpProxyAuth> auth_;
  HttpHeadReader reader_;
  std::uint64_t to_skip_ = 0;  // of the body of a 407 response
  int asked_ = 0;
  bool again_ = false;
};

}  // namespace pier

// The proxy's side of a dialogue: who asks for which target, and the answer to that.
#pragma once

#include <functional>
#include <string_view>

#include "net/address.h"
#include "proxy/negotiation.h"
#include "proxy/refusal.h"

namespace pier {

// Whether a name and password are good. Empty: nobody is asked for any.
using CheckCredentials = std::function<bool(std::string_view user, std::string_view password)>;

// receive() is done when the target is known; then one of connected() and refuse(), whose output is the last.
// An error of receive() may have output too: the refusal, to be sent before closing.
class ProxyServer : public Negotiation {
 public:
  // Once done.
  [[nodiscard]] const ProxyTarget& target() const { return target_; }

  // `local`: the address that the connection to the target comes from.
  virtual void connected(const SocketAddress& local) = 0;
  virtual void refuse(ProxyRefusal why) = 0;

 protected:
  ProxyTarget target_;
};

}  // namespace pier

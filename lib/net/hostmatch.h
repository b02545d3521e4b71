// Who may come: lists of hosts that are let in, and of hosts that are kept out (--allow, --deny).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/address.h"
#include "net/address_set.h"
#include "net/targets.h"

namespace pier {

// A list is words of the target grammar (net/target_grammar), each of which may be @FILE; several add up.
// The names in it are looked up when the list is read, once: every address that they have then is in it, and
// none that they get later.
//
// `option` is what errors call it ("--allow"). Errors: usage for malformed text, local for a file that can't
// be read, and `lookup`'s for a name: a list is never shortened silently. Sentences about what was taken
// otherwise than written (masked host bits) are appended to `notes`.
[[nodiscard]] Result<AddressSet> read_host_list(std::string_view option, std::span<const std::string> words,
                                                const NameLookup& lookup, std::vector<std::string>& notes);

// A value. Without any list everybody may come; with a list of the allowed, only they; whoever is denied may
// not, allowed or not.
class HostRules {
 public:
  HostRules() = default;
  HostRules(std::optional<AddressSet> allowed, AddressSet denied)
      : allowed_(std::move(allowed)), denied_(std::move(denied)) {}

  // An IPv4-mapped IPv6 address is judged as the IPv4 address that it stands for; a link-local one is in a
  // list with its %zone or without.
  [[nodiscard]] bool admit(const IpAddress& address) const;
  // A socket without an IP address (Unix, vsock) is no matter of such lists.
  [[nodiscard]] bool admit(const SocketAddress& address) const {
    return !address.is_ip() || admit(address.ip());
  }
  [[nodiscard]] bool everybody() const { return !allowed_ && denied_.empty(); }

 private:
  std::optional<AddressSet> allowed_;  // nothing: no such list
  AddressSet denied_;
};

}  // namespace pier

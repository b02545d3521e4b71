// Which texts can be a host at all, told without looking anything up.
#pragma once

#include <string_view>

#include "base/error.h"

namespace pier {

// An address literal (IPv6 without brackets, %zone allowed), or a host name: labels of letters, digits, "-"
// and
// "_", and UTF-8 beyond ASCII, of at most 63 bytes each and 253 together (RFC 1035, section 2.3.4), with or
// without a dot at the end. Text that only looks like an IPv4 address is none. A usage error that quotes the
// text otherwise.
[[nodiscard]] Result<void> check_host(std::string_view host);

}  // namespace pier

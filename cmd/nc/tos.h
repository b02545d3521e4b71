// The keywords of -T.
#pragma once

#include <optional>
#include <string_view>

namespace pier::nc {

// A keyword of RFC 1349's type of service or of the DiffServ code points (RFC 2474, 2597, 3246), or a number,
// decimal or 0x and hexadecimal, from 0 to 255: the byte as it stands in the IP header.
[[nodiscard]] std::optional<int> parse_tos(std::string_view text);

}  // namespace pier::nc

// Base64 (RFC 4648, section 4), with padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pier {

[[nodiscard]] std::string base64_encode(std::string_view bytes);

// Strict: whole groups of four, padding where it belongs, no other byte, no stray bits. Nothing otherwise.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

}  // namespace pier

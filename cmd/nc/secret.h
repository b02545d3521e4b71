// A secret that a person types, unseen.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pier::nc {

// Asks on the terminal of this process, whatever stdin is. Nothing where there is no terminal, or on ctrl-C
// or ctrl-D.
[[nodiscard]] std::optional<std::string> ask_secret(std::string_view prompt);

}  // namespace pier::nc

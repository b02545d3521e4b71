// The three completion scripts and what they share. Internal to cli/.
#pragma once

#include <string>
#include <string_view>

#include "cli/flags.h"

namespace pier {

[[nodiscard]] std::string bash_completion(const Command& command);
[[nodiscard]] std::string zsh_completion(const Command& command);
[[nodiscard]] std::string fish_completion(const Command& command);

// The text as one word of a POSIX shell, in single quotes.
[[nodiscard]] std::string shell_quoted(std::string_view text);

// "_pier_listen"
[[nodiscard]] std::string function_name(const Command& command);

}  // namespace pier

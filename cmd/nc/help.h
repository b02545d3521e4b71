// What nc says of itself.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pier::nc {

// "usage: nc [-46bCD…", a few lines.
[[nodiscard]] std::string usage_text(std::string_view program);
// -h: that, and each option.
[[nodiscard]] std::string help_text(std::string_view program);

// Two answers for the build, as all commands of pier have them: `--print-flags`, and `--print-completion
// bash|zsh|fish`. They count only as the whole of the command line; nc has no long options otherwise.
[[nodiscard]] std::optional<std::string> answer_for_build(std::span<char* const> words);

}  // namespace pier::nc

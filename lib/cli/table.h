// Views on a command's flag table that parsing, help and completion share. Internal to cli/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/flags.h"

namespace pier {

// The command's own flags, then the common ones whose name it does not take for itself.
[[nodiscard]] std::vector<const Flag*> flags_of(const Command& command);

// The short form that works for a flag of flags_of(command): a common flag loses its letter to one of the
// command's own (pier-nc has another -q). 0 for none.
[[nodiscard]] char letter_of(const Command& command, const Flag& flag);

// The parts of `text` between separators; never empty parts.
[[nodiscard]] std::vector<std::string_view> split_words(std::string_view text, char separator);

// What `--print-flags` says, for scripts/check-man: a line `--long TAB -s TAB VALUE` a flag; what it does not
// have is empty.
[[nodiscard]] std::string flag_lines(const Command& command);

// The version of the command-line parser linked in, "CLI11 2.1.2" (cli/parse).
[[nodiscard]] std::string parser_version();

}  // namespace pier

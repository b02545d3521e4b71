#include "cli/completion.h"

#include <algorithm>

#include "cli/flags.h"

namespace pier {

std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";  // out of the quotes, a quote, and in again
    else
      out += c;
  }
  return out + "'";
}

std::string function_name(const Command& command) {
  std::string name = "_" + std::string(command.name);
  std::ranges::replace(name, '-', '_');
  return name;
}

std::string completion_script(Shell shell, const Command& command) {
  switch (shell) {
    case Shell::bash:
      return bash_completion(command);
    case Shell::zsh:
      return zsh_completion(command);
    case Shell::fish:
      return fish_completion(command);
  }
  return {};
}

}  // namespace pier

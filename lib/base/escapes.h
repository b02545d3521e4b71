// Text with escapes, as a user writes bytes into a command line: `PING\r\n`.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace pier {

// \r \n \t \0 \\ and \xHH (two digits) become one byte; every other byte stands for itself. A usage error
// quotes the text; `what` names it there: "--send-text".
[[nodiscard]] Result<std::string> parse_escapes(std::string_view text, std::string_view what);

}  // namespace pier

// The file of --proxy-auth-file: names and passwords.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "proxy/negotiation.h"
#include "proxy/proxy_server.h"

namespace pier {

// One `user:password` a line; the first colon ends the name. Empty lines are left out; there are no comments,
// for a "#" may be in a password. ErrorKind::local, naming the line by its number and never its text, where
// one has no colon or no name, or where there is none at all.
[[nodiscard]] Result<std::vector<Credentials>> parse_credentials(std::string_view text,
                                                                 std::string_view path);

// A check against these, in the same time whatever differs.
[[nodiscard]] CheckCredentials check_against(std::vector<Credentials> known);

}  // namespace pier

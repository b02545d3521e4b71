// Whose the server is once it has bound, and who may reach its Unix socket.
#pragma once

#include <optional>

#include "cli/flags.h"
#include "event/listener.h"
#include "host/account.h"

namespace pier::server {

namespace flag {

inline constexpr Flag kUser{.name = "user",
                            .value = "NAME",
                            .kind = ValueKind::text,
                            .group = "Rights",
                            .brief = "once bound, be this user (NAME or NAME:GROUP) for good"};
inline constexpr Flag kMode{
    .name = "mode",
    .value = "OCTAL",
    .kind = ValueKind::text,
    .group = "Rights",
    .brief = "the mode of the Unix socket's file, such as 660 (default: by the umask)"};
inline constexpr Flag kOwner{.name = "owner",
                             .value = "USER:GROUP",
                             .kind = ValueKind::text,
                             .group = "Rights",
                             .brief = "whose the Unix socket's file is: USER, USER:GROUP or :GROUP"};

}  // namespace flag

// What --user asks for. Usage errors.
[[nodiscard]] Result<std::optional<Account>> wanted_user(const Parsed& args);

// What --mode and --owner ask for. Usage errors, also where `endpoint` has no file.
[[nodiscard]] Result<FileRights> file_rights(const Parsed& args, const Endpoint& endpoint);

}  // namespace pier::server

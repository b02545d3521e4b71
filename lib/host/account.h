// Users and groups of this host, and becoming one of them for good.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace pier {

struct Account {
  std::string text;           // as it was written
  std::optional<uid_t> user;  // nothing in ":GROUP"
  std::optional<gid_t> group;
  std::string name;  // of the user, where this host knows one: its other groups go by that
};

// "NAME", "NAME:GROUP", ":GROUP", each a name or a decimal number, as chown(1) takes them. NAME alone has the
// group that this host's user list gives it; a number that is not in the list has none. ErrorKind::usage for
// what is not known; `option` is what errors call it ("--user").
[[nodiscard]] Result<Account> find_account(std::string_view option, std::string_view text);

// The same for who a process is to be: an error also where there is no user or no group in it.
[[nodiscard]] Result<Account> find_user_account(std::string_view option, std::string_view text);

// Makes this process the account's: its user, its group, and the other groups that the account is in, and no
// others; no way back. No capability is kept (capabilities(7)). To be called before any thread is started;
// `account` must have a user and a group. ErrorKind::local where that is not allowed, or was not done in
// full.
[[nodiscard]] Result<void> become(const Account& account);

// Drops all capabilities of this process for good, whoever it is. ErrorKind::local.
[[nodiscard]] Result<void> drop_all_capabilities();

}  // namespace pier

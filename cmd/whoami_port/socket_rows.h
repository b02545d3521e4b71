// A socket with its owners, as a record or as rows.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "host/owner.h"
#include "out/ndjson.h"

namespace pier::whoami {

// The names of users, each looked up once.
class UserNames {
 public:
  // Empty where this host knows none.
  [[nodiscard]] const std::string& of(std::uint32_t uid);

 private:
  std::unordered_map<std::uint32_t, std::string> names_;
};

// {"type":"socket",…}; `change` ("new", "gone"…) is added where it is not empty.
[[nodiscard]] JsonObject socket_record(const OwnedSocket& socket, UserNames& users,
                                       std::string_view change = {});

using Rows = std::vector<std::vector<std::string>>;

// PROTO  ADDRESS  STATE  ROLE  PROGRAM  PID  USER  UNIT  CMDLINE, once for each owner; nothing without one.
void add_owner_rows(Rows& rows, const OwnedSocket& socket, UserNames& users);
// PROTO  LOCAL  CLASS  REMOTE  CLASS  STATE  ROLE  PROGRAM  PID  USER  UNIT  CMDLINE, once for each owner; a
// socket without one has "hidden: REASON" for a pid.
void add_socket_rows(Rows& rows, const OwnedSocket& socket, UserNames& users);

// "SIGTERM to": "nginx (pid 812, user www-data)".
[[nodiscard]] std::string name_of(const Process& process, UserNames& users);

}  // namespace pier::whoami

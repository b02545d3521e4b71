// Which sockets a question is about, and how they are found and told.
#pragma once

#include <optional>
#include <string>

#include "cmd/whoami_port/modes.h"
#include "cmd/whoami_port/report.h"
#include "cmd/whoami_port/socket_rows.h"
#include "host/owner.h"

namespace pier::whoami {

// The question's words as the library takes them. For --pid the process's sockets are looked at now: an error
// of kind `failed` when there is no such process or it has none, `unknown` when it may not be seen.
struct Search {
  SocketQuery query;
  OwnerRules rules;
};
[[nodiscard]] Result<Search> search_for(const App& app, const SocketsQuestion& question);

[[nodiscard]] Result<OwnedSockets> find(const Search& search);

// Rows of one socket, in the columns of the question.
void add_rows(Rows& rows, const SocketsQuestion& question, const OwnedSocket& socket, UserNames& users);

// "port 8080 (tcp, udp)", "this host".
[[nodiscard]] std::string subject_of(const SocketsQuestion& question);

// What the exit code says of sockets found: owned, hidden, or none.
[[nodiscard]] int exit_code_of(const OwnedSockets& found);

// One line on stderr for each way in which owners are hidden.
void explain_hidden(const App& app, const std::vector<OwnedSocket>& sockets, bool anything_owned);

}  // namespace pier::whoami

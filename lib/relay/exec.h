// A program for each client (--exec, --sh-exec).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include "event/loop.h"
#include "relay/child.h"
#include "relay/program.h"
#include "relay/relay.h"
#include "relay/service.h"

namespace pier {

// A client's plain socket becomes descriptors 0 and 1 of its program, as inetd does it: nothing is copied.
// The program's end is the session's: what it has written is waited for until the client's kernel has it,
// and its exit code stands in RelayResult::exit_status. A client's reset hangs the program up; its orderly
// end is the program's to read, for half a connection is enough for `wc -c`. Bytes are counted by the kernel
// for TCP, and not at all otherwise.
//
// Where something stands between the program and the client (TLS, a rule that wants to see the bytes) it gets
// two pipes that are relayed, and may then end each direction by itself.
class ExecService final : public Service {
 public:
  // Of `rules`: crlf, the taps, rate_limit, idle_timeout, steps; all but the last take pipes. `descriptors`:
  // as for Children.
  ExecService(Loop& loop, Program program, std::optional<std::size_t> descriptors, const RelayRules& rules);
  ~ExecService() override;
  ExecService(const ExecService&) = delete;
  ExecService& operator=(const ExecService&) = delete;

  void serve(const Session& session, std::unique_ptr<Stream> stream) override;
  void serve(const Session& session, Fd socket) override;
  // Waits until no program is left: Children::kEndGrace at most.
  void end_all() override;

 private:
  class Client;
  class Inherited;
  class Piped;

  void add(std::uint64_t id, std::unique_ptr<Client> client);
  void ended(std::uint64_t id);

  Loop& loop_;
  Program program_;
  RelayRules rules_;
  Children children_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Client>> clients_;
};

}  // namespace pier

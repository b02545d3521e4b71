// One run of pier-listen: what its parts share, and its steps in order.
#pragma once

#include "cmd/listen/forward.h"
#include "cmd/listen/options.h"
#include "cmd/session.h"
#include "cmd/tls_options.h"
#include "net/hostmatch.h"
#include "stream/handover_server.h"
#include "stream/handshake.h"
#include "stream/preface.h"

namespace pier::server {

struct Run {
  const App& app;
  News& news;
  Loop& loop;
  LocalEnds& ends;
  std::vector<std::string> passed_names = {};  // of the sockets that were passed to us
  std::unique_ptr<Preface> preface = {};       // of --proxy-protocol
  HostRules believed = {};                     // of --proxy-from
  HostRules hosts = {};                        // of --allow and --deny
  std::optional<Program> program = {};         // of --exec or --sh-exec
  std::optional<ForwardPlan> forward = {};     // of --to and the proxies
  std::size_t descriptors = 0;                 // the limit that we have found, and a program gets
  std::optional<std::size_t> room = {};        // with -k: how many clients fit under the one we have now
  std::vector<Listener> shares = {};           // with --workers: those of the others
  bool main_ended = false;                     // the main thread's server has, by itself
  int signal = 0;                              // SIGINT or SIGTERM, once it came
  std::function<void()> drain = {};  // with --drain: what the first SIGTERM begins, in place of the end
  std::unique_ptr<TlsSteps> tls_steps = {};
  std::unique_ptr<Handshaker> handshaker = {};  // of TLS, --handover: what each client goes through first
  HandoverServer* handover = nullptr;           // that, with --handover
  std::optional<Error> fault = {};              // a record that can't be written any more

  [[nodiscard]] bool ended_from_outside() const { return signal != 0 || fault; }
  // Tells the end, as News::end does, for such a run.
  int end_from_outside();
};

// Reads the lists of --allow and --deny, and looks up their names, once.
[[nodiscard]] Result<HostRules> read_host_rules(const App& app, std::string_view allow = "allow",
                                                std::string_view deny = "deny");
// All lists of who may come, and of who is believed.
[[nodiscard]] Result<void> read_hosts(Run& run);
// Reads the certificates, or makes one for the run and tells its fingerprint.
[[nodiscard]] Result<void> prepare_tls(Run& run, const Plan& plan);

// With --handover: what each client goes through then.
void prepare_handover(Run& run, const Plan& plan);

// Raises the limit of descriptors, and says how many clients have room under it; a note where --max-clients
// asks for more.
[[nodiscard]] std::size_t room_for_clients(const Run& run, const Plan& plan);

// The sockets that a service manager has passed to us (systemd's LISTEN_FDS), and into `names` what it calls
// each; nullopt where there are none.
[[nodiscard]] Result<std::optional<Listener>> take_passed_listener(std::vector<std::string>& names);
// What they listen on: the first of them.
[[nodiscard]] Endpoint endpoint_of_passed(const Listener& listener);
// Sets the options of `plan` on them, and lets those listen that are only bound.
[[nodiscard]] Result<Listener> adopt_listener(Listener passed, const ListenPlan& plan);
// Opens the sockets; a taken address is told with its owner.
[[nodiscard]] Result<Listener> open_listener(const ListenPlan& plan);

// Becomes the user of --user, and looks once whether --send's file can be opened for each client as such.
[[nodiscard]] Result<void> become_user(const Run& run, const Plan& plan);

// The line that says where we listen and who can reach it, and its record.
void tell_ready(const Run& run, const Listener& listener);

// Serve until the end that the plan sets, or a signal. The result is the exit code.
int serve_streams(Run& run, Listener listener, const Plan& plan);
int serve_datagrams(Run& run, Listener listener, const Plan& plan);

}  // namespace pier::server

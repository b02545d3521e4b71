#include "cmd/nc/probe.h"

#include <sys/socket.h>

#include <cerrno>

#include "scan/datagram_trial.h"

namespace pier::nc {
namespace {

constexpr char kMessage = 'X';  // as other netcats send, so that a server's log looks alike

// The second call is told of the refusal that a peer on this host has sent for the first.
Probed ask_kernel(const Fd& socket) {
  for (int i = 0; i < 2; ++i)
    if (::send(socket.get(), &kMessage, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == ECONNREFUSED)
      return Probed::closed;
  return Probed::silent;
}

}  // namespace

Probed probe(Loop& loop, const Options& options, const Fd& socket, const SocketAddress& peer) {
  if (!options.scan) return ask_kernel(socket);
  DatagramQuestion question;
  question.messages = {std::string(1, kMessage)};
  question.timeout = options.timeout.value_or(question.timeout);
  std::optional<CheckState> state;
  const DatagramTrial trial(loop, socket, peer, question, Deadline(), [&](const DatagramTrial::End& end) {
    state = end.verdict.state;
    loop.stop();
  });
  loop.run();
  if (state == CheckState::open) return Probed::answered;
  return state == CheckState::closed ? Probed::closed : Probed::silent;
}

}  // namespace pier::nc

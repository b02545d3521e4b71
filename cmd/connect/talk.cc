#include <fmt/core.h>
#include <sys/ioctl.h>

#include "cmd/connect/datagrams.h"
#include "cmd/connect/run.h"
#include "cmd/connect/wait_line.h"
#include "cmd/transfer_progress.h"
#include "net/socket.h"
#include "relay/exec.h"
#include "relay/relay.h"
#include "scan/reach.h"
#include "stream/prefix_stream.h"
#include "stream/socket_stream.h"
#include "stream/telnet_stream.h"

namespace pier::client {
namespace {

// Whether the input gives bytes at once. A deferred connection begins with the first that are written.
bool input_at_hand(const LocalEnds& ends) {
  int bytes = 0;
  return ::ioctl(ends.input_fd(), FIONREAD, &bytes) == 0 && bytes > 0;
}

// The connection as a stream, with what has been read of it in front.
std::unique_ptr<Stream> stream_of(Reached& reached, bool telnet) {
  std::unique_ptr<Stream> stream = std::move(reached.stream);
  if (!stream) stream = std::make_unique<SocketStream>(std::move(reached.fd));
  if (!reached.received.empty())
    stream = std::make_unique<PrefixStream>(std::move(reached.received), std::move(stream));
  if (telnet) stream = std::make_unique<TelnetStream>(std::move(stream));
  return stream;
}

int relay_stream(Run& run, Reached reached, const Session& session) {
  const std::unique_ptr<Stream> net = stream_of(reached, run.app.args.has("telnet"));
  RelayResult ended;
  Relay relay(run.loop, *net, run.ends.stream(), relay_rules(run.app, run.ends, false, run.news).of(session),
              [&](const RelayResult& result) {
                ended = result;
                run.loop.stop();
              });
  TransferProgress progress(run.app, run.news, run.loop, run.ends,
                            [&] { return TransferProgress::Totals{relay.received(), relay.sent()}; });
  run.loop.run();
  if (run.outside.ended()) ended = relay.end_now(run.outside.signal == 0);
  run.news.sessions().closed(session, ended);
  progress.end(ended);
  return run.outside.ended() ? run.end_from_outside() : run.news.end(run.app, ended);
}

int run_program(Run& run, Reached reached, const Session& session) {
  ExecService service(run.loop, *run.program, {}, relay_rules(run.app, run.ends, false, run.news));
  RelayResult ended;
  service.on_closed([&](std::uint64_t, const RelayResult& result) {
    ended = result;
    run.loop.stop();
  });
  const bool telnet = run.app.args.has("telnet");
  if (reached.stream || telnet)
    service.serve(session, stream_of(reached, telnet));
  else
    service.serve(session, std::move(reached.fd));
  run.loop.run();
  if (run.outside.ended()) service.end_all();
  run.news.sessions().closed(session, ended);
  return run.outside.ended() ? run.end_from_outside() : run.news.end(run.app, ended);
}

}  // namespace

int Run::end_from_outside() {
  if (outside.signal != 0) return news.end_by_signal(app, outside.signal);
  if (outside.fault) return news.end(app, *outside.fault);
  return news.end(app, Error{ErrorKind::deadline, "--timeout", "", 0,
                             "the run took longer than " + *app.args.text("timeout")});
}

int talk(Run& run, Plan all) {
  ReachPlan& plan = all.dials.front();
  const bool datagrams = is_datagram(plan.endpoint.transport);
  const Endpoint endpoint = plan.endpoint;
  plan.session = true;
  const auto wait = plan.wait ? std::optional(now() + *plan.wait) : std::nullopt;
  std::optional<Error> error;
  std::optional<Reached> reached;
  {
    const Reach reach(run.loop, std::move(plan), now(), [&](CheckResult result, std::optional<Reached> got) {
      error = std::move(result.error);
      reached = std::move(got);
      run.loop.stop();
    });
    const WaitLine line(run.loop, run.app, [&] {
      return waiting_text(endpoint, reach.latest() ? &*reach.latest() : nullptr, reach.tries());
    });
    run.loop.run();
  }
  if (run.outside.ended()) return run.end_from_outside();
  if (error) return run.news.end(run.app, *error);
  if (datagrams && all.association)
    return talk_by_proxy(run, std::move(*reached), *all.association, endpoint);
  if (datagrams) return talk_by_datagrams(run, std::move(*reached), wait);
  const Session session{1, reached->peer, reached->local};
  run.news.sessions().connected(session);
  if (reached->deferred && (run.program || run.app.args.has("recv-only") || !input_at_hand(run.ends)))
    start_deferred(reached->fd.get());
  if (run.program) return run_program(run, std::move(*reached), session);
  const bool typed = run.ends.from_stdin() && run.ends.in_kind() == FdKind::terminal;
  if (run.app.err.terminal && typed && !run.app.args.has("recv-only"))
    run.app.note(fmt::format("connected to {}: what you type is sent line by line; ctrl-D ends",
                             session.peer.to_string()));
  return relay_stream(run, std::move(*reached), session);
}

}  // namespace pier::client

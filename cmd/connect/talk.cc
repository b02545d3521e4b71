#include <fmt/core.h>
#include <sys/ioctl.h>

#include "cmd/connect/run.h"
#include "cmd/transfer_progress.h"
#include "net/socket.h"
#include "relay/datagram.h"
#include "relay/datagram_exec.h"
#include "relay/exec.h"
#include "relay/relay.h"
#include "stream/socket_stream.h"

namespace pier::client {
namespace {

// Whether the input gives bytes at once. A deferred connection begins with the first that are written.
bool input_at_hand(const LocalEnds& ends) {
  int bytes = 0;
  return ::ioctl(ends.input_fd(), FIONREAD, &bytes) == 0 && bytes > 0;
}

int relay_stream(Run& run, std::unique_ptr<Stream> net, const Session& session) {
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

int run_program(Run& run, Connected connected, const Session& session) {
  ExecService service(run.loop, *run.program, {}, relay_rules(run.app, run.ends, false, run.news));
  RelayResult ended;
  service.on_closed([&](std::uint64_t, const RelayResult& result) {
    ended = result;
    run.loop.stop();
  });
  if (run.stream)
    service.serve(session, std::move(run.stream));
  else
    service.serve(session, std::move(connected.fd));
  run.loop.run();
  if (run.outside.ended()) service.end_all();
  run.news.sessions().closed(session, ended);
  return run.outside.ended() ? run.end_from_outside() : run.news.end(run.app, ended);
}

int run_for_datagrams(Run& run, Connected connected) {
  DatagramExecPlan plan;
  plan.program = *run.program;
  plan.idle_timeout = run.app.args.duration("idle-timeout");
  plan.taps = run.news.taps();
  plan.steps = run.news.steps();
  std::vector<Fd> sockets;
  sockets.push_back(std::move(connected.fd));
  RelayResult ended;
  DatagramExec programs(run.loop, std::move(sockets), connected.peer, plan, run.news.sessions(),
                        [&](const RelayResult& result) {
                          ended = result;
                          run.loop.stop();
                        });
  if (const auto started = programs.start(); !started) return run.news.end(run.app, started.error());
  run.loop.run();
  if (!run.outside.ended()) return run.news.end(run.app, ended);
  programs.end_now();
  return run.end_from_outside();
}

int relay_datagrams(Run& run, Connected connected) {
  if (run.program) return run_for_datagrams(run, std::move(connected));
  DatagramPlan plan;
  plan.rules = relay_rules(run.app, run.ends, false, run.news);
  plan.reply_timeout = run.app.args.duration("reply-timeout").value_or(plan.reply_timeout);
  std::vector<Fd> sockets;
  sockets.push_back(std::move(connected.fd));
  RelayResult ended;
  DatagramRelay relay(run.loop, std::move(sockets), connected.peer, run.ends.stream(), plan,
                      run.news.sessions(), [&](const RelayResult& result) {
                        ended = result;
                        run.loop.stop();
                      });
  if (const auto started = relay.start(); !started) return run.news.end(run.app, started.error());
  TransferProgress progress(run.app, run.news, run.loop, run.ends, [&] {
    const RelayResult total = relay.total();
    return TransferProgress::Totals{total.received, total.sent};
  });
  run.loop.run();
  if (run.outside.ended()) ended = relay.end_now();
  progress.end(ended);
  return run.outside.ended() ? run.end_from_outside() : run.news.end(run.app, ended);
}

}  // namespace

int Run::end_from_outside() {
  if (outside.signal != 0) return news.end_by_signal(app, outside.signal);
  if (outside.fault) return news.end(app, *outside.fault);
  return news.end(app, Error{ErrorKind::deadline, "--timeout", "", 0,
                             "the run took longer than " + *app.args.text("timeout")});
}

int talk(Run& run, const DialPlan& plan) {
  Result<Connected> connected = std::unexpected(Error{});
  bool done = false;
  {
    Dialer dialer(run.loop, plan, [&](Result<Connected> result, const std::vector<Attempt>&) {
      connected = std::move(result);
      done = true;
      run.loop.stop();
    });
    run.loop.run();
  }
  if (run.outside.ended()) return run.end_from_outside();
  if (!done || !connected) return run.news.end(run.app, connected.error());
  if (is_datagram(plan.connect.endpoint.transport)) return relay_datagrams(run, std::move(*connected));
  const int fd = run.stream ? run.stream->read_fd() : connected->fd.get();
  const Session session{1, connected->peer, local_address(fd)};
  run.news.sessions().connected(session);
  if (connected->deferred && (run.program || run.app.args.has("recv-only") || !input_at_hand(run.ends)))
    start_deferred(connected->fd.get());
  if (run.program) return run_program(run, std::move(*connected), session);
  const bool typed = run.ends.from_stdin() && run.ends.in_kind() == FdKind::terminal;
  if (run.app.err.terminal && typed && !run.app.args.has("recv-only"))
    run.app.note(fmt::format("connected to {}: what you type is sent line by line; ctrl-D ends",
                             session.peer.to_string()));
  std::unique_ptr<Stream> net = std::move(run.stream);
  if (!net) net = std::make_unique<SocketStream>(std::move(connected->fd));
  return relay_stream(run, std::move(net), session);
}

}  // namespace pier::client

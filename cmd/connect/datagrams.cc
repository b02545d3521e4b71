#include "cmd/connect/datagrams.h"

#include "cmd/transfer_progress.h"
#include "relay/datagram.h"
#include "relay/datagram_exec.h"

namespace pier::client {
namespace {

int run_for_datagrams(Run& run, Reached reached) {
  DatagramExecPlan plan;
  plan.program = *run.program;
  plan.idle_timeout = run.app.args.duration("idle-timeout");
  plan.taps = run.news.taps();
  plan.steps = run.news.steps();
  std::vector<Fd> sockets;
  sockets.push_back(std::move(reached.fd));
  RelayResult ended;
  DatagramExec programs(run.loop, std::move(sockets), reached.peer, plan, run.news.sessions(),
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

int relay_datagrams(Run& run, Reached reached, std::optional<TimePoint> wait) {
  DatagramPlan plan;
  plan.rules = relay_rules(run.app, run.ends, false, run.news);
  const Parsed& args = run.app.args;
  plan.reply_timeout = args.duration("reply-timeout").value_or(plan.reply_timeout);
  plan.replies = args.number("replies");
  plan.largest = args.number("max-datagram").value_or(plan.largest);
  if (wait) plan.insist = Deadline(*wait);
  plan.to_many = reached.many;
  std::vector<Fd> sockets;
  sockets.push_back(std::move(reached.fd));
  RelayResult ended;
  DatagramRelay relay(run.loop, std::move(sockets), reached.peer, run.ends.stream(), plan,
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

Result<void> check_datagram_options(const Parsed& args, const Endpoint& endpoint, bool checks) {
  for (const std::string name : {"replies", "max-datagram"}) {
    const auto given = args.text(name);
    if (!given) continue;
    if (!is_datagram(endpoint.transport))
      return usage_error("--" + name, *given, "it is for datagrams: give -u");
    if (checks || args.has("exec") || args.has("sh-exec"))
      return usage_error("--" + name, *given, "it is about datagrams between a server and stdin and stdout");
  }
  const auto size = args.number("max-datagram");
  if (size && (*size == 0 || *size > DatagramRelay::kMostPayload))
    return usage_error("--max-datagram", *args.text("max-datagram"), "not a size from 1 to 65507");
  return {};
}

int talk_by_datagrams(Run& run, Reached reached, std::optional<TimePoint> wait) {
  if (run.program) return run_for_datagrams(run, std::move(reached));
  return relay_datagrams(run, std::move(reached), wait);
}

}  // namespace pier::client

// Serving UDP and Unix datagrams.
#include <algorithm>

#include "cmd/listen/run.h"
#include "cmd/transfer_progress.h"
#include "relay/datagram.h"
#include "relay/datagram_exec.h"
#include "relay/datagram_forward.h"
#include "relay/datagram_reply.h"
#include "scan/descriptors.h"

namespace pier::server {
namespace {

std::vector<Fd> sockets_of(Listener& listener) {
  std::vector<Fd> sockets;
  for (Listener::Bound& bound : listener.sockets()) sockets.push_back(std::move(bound.fd));
  return sockets;
}

// Of many peers each is forgotten after a while, for none ever says that it has gone.
std::optional<Duration> idle_timeout_of(const Run& run, const Plan& plan) {
  const auto given = run.app.args.duration("idle-timeout");
  return given || !plan.keep_open ? given : kDatagramIdle;
}

// What peers get in place of our input and output, if anything.
std::unique_ptr<DatagramService> make_service(const Run& run) {
  if (run.forward) return std::make_unique<DatagramForward>(run.loop, run.forward->connect);
  if (run.program)
    return std::make_unique<DatagramExec>(run.loop, *run.program, run.descriptors, run.news.sessions(),
                                          run.news.steps());
  if (run.app.args.has("echo")) return std::make_unique<DatagramReply>(Reply::echo);
  if (run.app.args.has("discard")) return std::make_unique<DatagramReply>(Reply::discard);
  return nullptr;
}

// Programs are bounded, and sockets to a target by what this process may open.
std::size_t most_peers(const Run& run) {
  if (run.program) return DatagramExec::kMostPeers;
  if (!run.forward) return kMostDatagramPeers;
  return std::min(free_descriptors(descriptor_limit()), kMostDatagramPeers);
}

int serve_each(Run& run, Listener& listener, const Plan& plan, DatagramService& service) {
  DatagramServerPlan serve;
  serve.keep_open = plan.keep_open;
  serve.idle_timeout = idle_timeout_of(run, plan);
  serve.accept_timeout = run.app.args.duration("accept-timeout");
  serve.taps = run.news.taps();
  serve.hosts = run.hosts;
  serve.most_peers = most_peers(run);
  RelayResult ended;
  DatagramServer server(run.loop, sockets_of(listener), {}, serve, service, run.news.sessions(),
                        [&](const RelayResult& result) {
                          ended = result;
                          run.loop.stop();
                        });
  if (const auto started = server.start(); !started) return run.news.end(run.app, started.error());
  run.loop.run();
  if (!run.ended_from_outside()) return run.news.end(run.app, ended);
  server.end_now();
  return run.end_from_outside();
}

}  // namespace

int serve_datagrams(Run& run, Listener listener, const Plan& plan) {
  if (const auto service = make_service(run)) return serve_each(run, listener, plan, *service);
  DatagramPlan serve;
  serve.rules = relay_rules(run.app, run.ends, true, run.news);
  serve.rules.idle_timeout = idle_timeout_of(run, plan);
  serve.hosts = run.hosts;
  serve.keep_open = plan.keep_open;
  serve.reply_timeout = run.app.args.duration("reply-timeout").value_or(*serve.reply_timeout);
  serve.accept_timeout = run.app.args.duration("accept-timeout");
  RelayResult ended;
  DatagramRelay relay(run.loop, sockets_of(listener), {}, run.ends.stream(), serve, run.news.sessions(),
                      [&](const RelayResult& result) {
                        ended = result;
                        run.loop.stop();
                      });
  if (const auto started = relay.start(); !started) return run.news.end(run.app, started.error());
  TransferProgress progress(run.app, run.news, run.loop, run.ends,
                            [&]() -> std::optional<TransferProgress::Totals> {
                              const RelayResult total = relay.total();
                              if (total.received == 0) return std::nullopt;
                              return TransferProgress::Totals{total.received, total.sent};
                            });
  run.loop.run();
  if (run.ended_from_outside()) relay.end_now();
  progress.end(run.news.sessions().last());
  return run.ended_from_outside() ? run.end_from_outside() : run.news.end(run.app, ended);
}

}  // namespace pier::server

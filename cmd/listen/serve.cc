#include "relay/serve.h"

#include <fmt/core.h>

#include "base/number.h"
#include "cmd/listen/run.h"
#include "cmd/listen/workers.h"
#include "cmd/transfer_progress.h"
#include "relay/broker.h"
#include "relay/exec.h"
#include "relay/reply.h"

namespace pier::server {

int Run::end_from_outside() {
  return signal != 0 ? news.end_by_signal(app, signal) : news.end(app, *fault);
}

namespace {

// What clients get in place of our input and output, if anything.
std::unique_ptr<Service> make_service(Run& run, Loop& loop, const RelayRules& rules) {
  if (run.forward) {
    ForwardPlan plan = *run.forward;
    plan.rules = rules;
    return std::make_unique<ForwardService>(loop, std::move(plan));
  }
  if (run.program) return std::make_unique<ExecService>(loop, *run.program, run.descriptors, rules);
  if (run.app.args.has("echo")) return std::make_unique<ReplyService>(loop, Reply::echo, rules);
  if (run.app.args.has("discard")) return std::make_unique<ReplyService>(loop, Reply::discard, rules);
  if (run.app.args.has("broker") || run.app.args.has("chat"))
    return std::make_unique<Broker>(loop, run.ends.stream(), rules, run.app.args.has("chat"),
                                    [&run](const Error& error) {
                                      run.fault = error;
                                      run.loop.stop();
                                    });
  return nullptr;
}

// What a person should know of clients who were not served, or not to their end.
void tell_losses(const App& app, const Server& server, const Service* service) {
  const std::uint64_t over = server.counts().over_limits();
  if (over > 0) app.note(fmt::format("reset because of --max-clients or --per-host: {}", over));
  const auto* const broker = dynamic_cast<const Broker*>(service);
  if (broker != nullptr && broker->dropped() > 0)
    app.note(fmt::format("reset because they were too slow: {}", broker->dropped()));
}

// What all servers of this run have in common.
ServePlan serve_plan(Run& run, const Plan& plan) {
  ServePlan serve;
  serve.rules = relay_rules(run.app, run.ends, true, run.news);
  serve.unix_options = plan.listen.options;
  serve.keep_open = plan.keep_open;
  serve.max_accepts = run.app.args.number("max-accepts");
  serve.accept_timeout = run.app.args.duration("accept-timeout");
  serve.hosts = run.hosts;
  serve.limits = plan.limits;
  serve.limits.room = run.room;
  serve.counts = std::make_shared<ClientCounts>(serve.limits);
  if (plan.keep_open && !run.ends.from_stdin()) {
    serve.rules.send = false;
    serve.each_input = [&ends = run.ends] { return ends.open_again(); };
  }
  serve.handshaker = run.handshaker.get();
  serve.preface = run.preface.get();
  serve.believed = run.believed;
  return serve;
}

}  // namespace

int serve_streams(Run& run, Listener listener, const Plan& plan) {
  ServePlan serve = serve_plan(run, plan);
  const auto counts = serve.counts;
  const std::unique_ptr<Service> service = make_service(run, run.loop, serve.rules);
  LockedObserver locked(run.news.sessions());
  SessionObserver& observer =
      run.shares.empty() ? static_cast<SessionObserver&>(run.news.sessions()) : locked;
  Workers workers(run.loop, observer, [&](const std::optional<Error>& error) {
    if (error && !run.fault) run.fault = error;
    if (error || (run.main_ended && workers.all_ended())) run.loop.stop();
  });
  if (const auto started = workers.start(std::move(run.shares), run.ends.stream(), serve,
                                         [&](Loop& loop) { return make_service(run, loop, serve.rules); });
      !started)
    return run.news.end(run.app, started.error());
  serve.service = service.get();
  RelayResult ended;
  Server server(run.loop, std::move(listener), run.ends.stream(), serve, observer,
                [&](const RelayResult& result) {
                  ended = result;
                  run.main_ended = true;
                  if (result.error || workers.all_ended()) run.loop.stop();
                });
  if (const auto started = server.start(); !started) return run.news.end(run.app, started.error());
  TransferProgress progress(run.app, run.news, run.loop, run.ends,
                            [&]() -> std::optional<TransferProgress::Totals> {
                              const Relay* const relay = server.relay();
                              if (relay == nullptr) return std::nullopt;
                              return TransferProgress::Totals{relay->received(), relay->sent()};
                            });
  Timer drained;
  if (const auto patience = run.app.args.duration("drain"))
    run.drain = [&, patience = *patience] {
      drained = run.loop.timer(Deadline(now() + patience), [&run] { run.loop.stop(); });
      if (const std::size_t clients = counts->clients(); clients > 0)
        run.app.note(
            fmt::format("draining: clients have {} to finish: {}", format_duration(patience), clients));
      workers.drain();
      server.drain();
    };
  run.loop.run();
  workers.end(run.signal == 0);
  if (run.ended_from_outside()) server.end_now(run.signal == 0);
  tell_losses(run.app, server, service.get());
  progress.end(run.news.sessions().last());
  if (run.ended_from_outside()) return run.end_from_outside();
  const int code = run.news.end(run.app, ended);
  if (run.handover != nullptr && code == kExitYes) run.handover->confirm();
  return code;
}

}  // namespace pier::server

#include "relay/serve.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "base/number.h"
#include "stream/socket_stream.h"

namespace pier {

Server::Server(Loop& loop, Listener listener, Stream& local, ServePlan plan, SessionObserver& observer,
               Done done)
    : loop_(loop),
      listener_(std::move(listener)),
      local_(local),
      plan_(plan),
      observer_(observer),
      done_(std::move(done)) {
  if (!plan_.counts) plan_.counts = std::make_shared<ClientCounts>(plan_.limits);
  if (plan_.service != nullptr)
    plan_.service->on_closed(
        [this](std::uint64_t id, const RelayResult& result) { service_closed(id, result); });
  if (plan_.service != nullptr || by_itself()) return;
  Hub::Events events;
  events.closed = [this](Hub::ClientId id, const RelayResult& result) { client_closed(id, result); };
  events.failed = [this](const RelayResult& result) { finish(result); };
  events.quiet = [this] { end_after_last(); };
  hub_ = std::make_unique<Hub>(loop_, local_, plan_.rules, std::move(events));
  if (plan_.each_input) hub_->send_each(plan_.each_input);
}

Server::~Server() = default;

Result<void> Server::start() {
  for (Listener::Bound& bound : listener_.sockets()) {
    auto watch = loop_.watch(bound.fd.get(), Interest::read, [this, &bound](Ready) { accept_from(bound); });
    if (!watch) return std::unexpected(watch.error());
    accept_watches_.push_back(std::move(*watch));
  }
  accepting_ = true;
  arm_accept_timeout();
  return {};
}

void Server::accept_from(Listener::Bound& bound) {
  // A burst is taken in one go, but never so long that the clients already here wait. While they come one at
  // a time, each gone before the next, asking for another would mostly be told that there is none.
  int taken = 0;
  for (; taken < burst_ && accepting_; ++taken) {
    if (plan_.in_turn && connections() > 0) {
      paused_ = true;
      for (Watch& watch : accept_watches_) watch.pause();
      return;
    }
    if (!has_room()) return pause_accepting("no more descriptors: not accepting until a client has gone");
    auto accepted = accept_socket(bound.fd);
    if (!accepted) return out_of_descriptors(accepted.error());
    if (!*accepted) {
      told_of_descriptors_ = false;
      burst_ = std::max(taken, 1);
      return;
    }
    if (plan_.preface != nullptr)
      read_preface(std::move(**accepted), bound);
    else
      judge(std::move(**accepted), bound, {});
  }
  burst_ = connections() > 1 ? std::min(burst_ * 2, kMostBurst) : 1;
}

void Server::read_preface(Accepted accepted, const Listener::Bound& bound) {
  if (!plan_.counts->enter()) return refuse_over_limit(accepted, accepted.peer, "too many clients");
  const std::uint64_t number = ++introduced_;
  Introducing& one = introducing_[number];
  one.accepted = std::move(accepted);
  one.preface = plan_.preface->start(
      loop_, one.accepted.fd.get(), Deadline::after(plan_.rules.idle_timeout),
      [this, number, &bound](Result<Preface::Told> told) { preface_read(number, bound, std::move(told)); });
}

void Server::preface_read(std::uint64_t number, const Listener::Bound& bound, Result<Preface::Told> told) {
  const auto found = introducing_.find(number);
  Introducing one = std::move(found->second);
  introducing_.erase(found);
  plan_.counts->leave();  // it is judged now, as anybody is
  if (!told) {
    refuse(one.accepted, one.accepted.peer, told.error().message());
  } else {
    const bool believed = plan_.believed.admit(one.accepted.peer);
    judge(std::move(one.accepted), bound, believed ? *told : Preface::Told());
  }
  resume_accepting();
}

void Server::judge(Accepted accepted, const Listener::Bound& bound, const Preface::Told& told) {
  const SocketAddress peer = told.peer.value_or(accepted.peer);
  // A header may name a client without an IP address, of which no list says that it may come.
  const bool unlisted = told.peer && !peer.is_ip() && !plan_.hosts.everybody();
  if (unlisted || !plan_.hosts.admit(peer)) return refuse(accepted, peer, "not allowed");
  if (!plan_.counts->enter()) return refuse_over_limit(accepted, peer, "too many clients");
  if (!plan_.counts->enter_host(peer)) {
    plan_.counts->leave();
    return refuse_over_limit(accepted, peer, "too many clients of this host");
  }
  take(std::move(accepted), bound, told);
}

// A reset, so that nobody takes the silence for an answer.
void Server::refuse(const Accepted& accepted, const SocketAddress& peer, std::string_view why) {
  reset_on_close(accepted.fd.get());
  observer_.refused(peer, why);
}

void Server::refuse_over_limit(const Accepted& accepted, const SocketAddress& peer, std::string_view why) {
  plan_.counts->count_over_limit();
  refuse(accepted, peer, why);
}

void Server::take(Accepted accepted, const Listener::Bound& bound, const Preface::Told& told) {
  // A socket that waits on one address has its clients there: no need to ask the kernel.
  const bool known = bound.address.is_ip() && !bound.address.ip().is_any();
  ++accepted_;
  Session session{plan_.counts->next_number(), accepted.peer,
                  known ? bound.address : local_address(accepted.fd.get())};
  accept_timer_.cancel();
  if (plan_.rules.steps != nullptr)
    plan_.rules.steps->step(
        {"accept",
         accepted.fd.get(),
         fmt::format("a new socket (fd {}) for {}, from the one waiting on {} (fd {})", accepted.fd.get(),
                     session.peer.to_string(), bound.address.to_string(), bound.fd.get()),
         "ok",
         {{"local", session.local.to_string()}, {"remote", session.peer.to_string()}}});
  if (session.local.is_unix())  // a fault here costs no client its session
    (void)set_options(accepted.fd, Transport::unix_stream, AF_UNIX, plan_.unix_options, plan_.rules.steps);
  if (told.peer) introduce(session, told);
  if (!plan_.keep_open || (plan_.max_accepts && accepted_ >= *plan_.max_accepts)) stop_accepting();
  if (plan_.handshaker != nullptr)
    shake_hands(session, std::move(accepted.fd));
  else
    begin(session, std::move(accepted.fd));
}

// Who it really is, and where it came to.
void Server::introduce(Session& session, const Preface::Told& told) const {
  session.via = std::make_shared<SocketAddress>(session.peer);
  session.peer = *told.peer;
  session.local = told.local.value_or(session.local);
  if (plan_.rules.steps == nullptr) return;
  plan_.rules.steps->step(
      {"recv",
       -1,
       fmt::format("a PROXY header: {} has come to {}, by way of {}", session.peer.to_string(),
                   session.local.to_string(), session.via->to_string()),
       "ok",
       {{"local", session.local.to_string()}, {"remote", session.peer.to_string()}}});
}

// The others are served meanwhile: a handshake that stalls holds up nobody but who stalls it.
void Server::shake_hands(const Session& session, Fd fd) {
  auto done = [this, session](Result<std::unique_ptr<Stream>> result) {
    handshakes_.erase(session.id);
    if (!result) return handshake_failed(session, result.error());
    begin(session, std::move(*result));
  };
  handshakes_[session.id] =
      plan_.handshaker->start(loop_, std::move(fd), session.peer.to_string(),
                              Deadline::after(plan_.rules.idle_timeout), std::move(done));
}

void Server::handshake_failed(const Session& session, const Error& error) {
  plan_.counts->leave_host(session.peer);
  plan_.counts->leave();
  if (!plan_.keep_open) {
    RelayResult result;
    result.error = error;
    return finish(result);
  }
  observer_.note(error.message());
  resume_accepting();
  if (nobody_left()) arm_accept_timeout();
  end_after_last();
}

void Server::begin(const Session& session, Fd fd) {
  if (plan_.service == nullptr) return begin(session, std::make_unique<SocketStream>(std::move(fd)));
  sessions_.emplace(session.id, session);
  observer_.connected(session);
  plan_.service->serve(session, std::move(fd));
}

void Server::begin(const Session& session, std::unique_ptr<Stream> stream) {
  sessions_.emplace(session.id, session);
  observer_.connected(session);
  if (plan_.service != nullptr)
    plan_.service->serve(session, std::move(stream));
  else if (by_itself())
    serve_one(session, std::move(stream));
  else
    hub_->add(session, std::move(stream));
}

void Server::serve_one(const Session& session, std::unique_ptr<Stream> stream) {
  only_stream_ = std::move(stream);
  only_relay_ = std::make_unique<Relay>(loop_, *only_stream_, local_, plan_.rules.of(session),
                                        [this, id = session.id](const RelayResult& result) {
                                          client_closed(id, result);
                                          if (plan_.keep_open && !result.output_closed)
                                            return end_after_last();
                                          finish(result);
                                        });
}

void Server::service_closed(std::uint64_t id, const RelayResult& result) {
  client_closed(id, result);
  if (!plan_.keep_open)
    finish(result);
  else
    end_after_last();
}

void Server::end_after_last() {
  const bool output_done = hub_ == nullptr || hub_->is_quiet();
  const bool no_more = draining_ || (plan_.max_accepts && accepted_ >= *plan_.max_accepts);
  if (no_more && nobody_left() && output_done) finish({});
}

void Server::drain() {
  draining_ = true;
  if (accepting_) stop_accepting();
  end_after_last();
}

void Server::client_closed(std::uint64_t id, const RelayResult& result) {
  if (by_itself()) {
    only_relay_.reset();
    only_stream_.reset();
  }
  const auto found = sessions_.find(id);
  const Session session = found->second;
  sessions_.erase(found);
  plan_.counts->leave_host(session.peer);
  plan_.counts->leave();
  observer_.closed(session, result);
  resume_accepting();
  if (nobody_left()) arm_accept_timeout();
}

void Server::stop_accepting() {
  accepting_ = false;
  accept_timer_.cancel();
  accept_watches_.clear();
  for (; !introducing_.empty(); introducing_.erase(introducing_.begin())) plan_.counts->leave();
  // A client that comes now is refused rather than left waiting for nobody.
  listener_.close();
}

void Server::pause_accepting(std::string_view why) {
  if (!told_of_descriptors_) observer_.note(why);
  told_of_descriptors_ = true;
  paused_ = true;
  for (Watch& watch : accept_watches_) watch.pause();
}

void Server::out_of_descriptors(const Error& error) {
  pause_accepting(fmt::format("{}: not accepting until a client has gone", error.message()));
  if (!nobody_left()) return;
  // What others have taken they may give back; a limit of our own that is too low for one client is a fault.
  const bool alone = plan_.counts.use_count() == 1;
  if (plan_.keep_open && (error.code != EMFILE || accepted_ > 0 || !alone)) {
    retry_timer_ = loop_.timer(Deadline(now() + kRetry), [this] { resume_accepting(); });
    return;
  }
  RelayResult result;
  result.error = error;
  result.error->kind = ErrorKind::local;
  finish(result);
}

void Server::resume_accepting() {
  if (!accepting_ || !paused_) return;
  paused_ = false;
  for (Watch& watch : accept_watches_) watch.set(Interest::read);
}

void Server::arm_accept_timeout() {
  if (!plan_.accept_timeout || !accepting_) return;
  accept_timer_ = loop_.timer(Deadline::after(plan_.accept_timeout), [this] {
    RelayResult result;
    result.error = Error{ErrorKind::deadline, "accept", "", 0,
                         "nobody came within " + format_duration(*plan_.accept_timeout)};
    finish(result);
  });
}

void Server::end_now(bool reset) {
  if (finished_) return;
  finished_ = true;  // the caller knows that it is over
  if (accepting_) stop_accepting();
  handshakes_.clear();
  if (plan_.service != nullptr) plan_.service->end_all();
  if (hub_) hub_->end_all(reset);
  if (only_relay_) {
    const RelayResult result = only_relay_->end_now(reset);
    client_closed(sessions_.begin()->first, result);
  }
}

void Server::finish(const RelayResult& result) {
  if (finished_) return;
  finished_ = true;
  if (accepting_) stop_accepting();
  handshakes_.clear();
  done_(result);
}

}  // namespace pier

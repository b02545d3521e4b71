#include "relay/datagram_server.h"

#include <fmt/core.h>

#include <cerrno>

#include "base/number.h"
#include "net/socket.h"

namespace pier {
namespace {

constexpr std::size_t kLargest = 65536;

std::vector<DatagramSocket> sockets_of(std::vector<Fd> fds, bool server) {
  std::vector<DatagramSocket> sockets;
  for (Fd& fd : fds) sockets.emplace_back(std::move(fd), server);
  return sockets;
}

bool is_full(int code) {
  return code == EAGAIN || code == EWOULDBLOCK || code == ENOBUFS;
}

}  // namespace

bool DatagramLine::is_only_one() const {
  return server_->single();
}

int DatagramLine::send(std::span<const std::byte> datagram) {
  return server_->send(*this, datagram);
}

void DatagramLine::close(std::optional<Error> error, std::optional<int> exit_status) {
  result_.exit_status = exit_status;
  server_->close(*this, std::move(error));
}

bool end_if_unreachable(DatagramLine& line, int code) {
  if (code == 0 || is_full(code) || code == EMSGSIZE) return false;
  const SocketAddress& peer = line.session().peer;
  // Of many, a Unix socket that has gone will not come back under its name; a host may.
  if (!line.is_only_one() && (!peer.is_unix() || peer.is_nameless())) return false;
  line.close(Error{ErrorKind::failed, "send", peer.to_string(), code, {}});
  return true;
}

DatagramServer::DatagramServer(Loop& loop, std::vector<Fd> sockets, std::optional<SocketAddress> peer,
                               DatagramServerPlan plan, DatagramService& service, SessionObserver& observer,
                               Done done)
    : loop_(loop),
      sockets_(sockets_of(std::move(sockets), !peer)),
      only_peer_(std::move(peer)),
      plan_(std::move(plan)),
      service_(service),
      observer_(observer),
      done_(std::move(done)) {}

DatagramServer::~DatagramServer() {
  *alive_ = false;
}

Result<void> DatagramServer::start() {
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    auto watch =
        loop_.watch(sockets_[i].fd().get(), Interest::read, [this, i](Ready ready) { on_socket(i, ready); });
    if (!watch) return std::unexpected(watch.error());
    watches_.push_back(std::move(*watch));
  }
  if (only_peer_) {
    add_line(0, {*only_peer_, sockets_[0].bound()});
  } else if (plan_.accept_timeout) {
    accept_timer_ = loop_.timer(Deadline::after(plan_.accept_timeout), [this] {
      RelayResult result;
      result.error = Error{ErrorKind::deadline, "recv", "", 0,
                           "nobody wrote within " + format_duration(*plan_.accept_timeout)};
      finish(result);
    });
  }
  return {};
}

void DatagramServer::on_socket(std::size_t index, Ready ready) {
  if (ready.error) {
    const int code = take_socket_error(sockets_[index].fd().get());
    // Of many peers, one that has gone is no matter of the others.
    if (code != 0 && single() && !lines_.empty())
      return close(*lines_.oldest(), Error{ErrorKind::failed, "send", "", code, {}});
  }
  // A burst is taken in one go, but never so long that what else waits does not get its turn.
  for (int round = 0; round < 64 && ready.readable && !finished_; ++round)
    if (!receive_one(index)) return;
}

// False when there is nothing more to read now.
bool DatagramServer::receive_one(std::size_t index) {
  std::byte buffer[kLargest];
  const auto arrival = sockets_[index].receive(buffer);
  if (!arrival) return false;
  const SocketAddress& sender = arrival->path.peer;
  if (!only_peer_ && !plan_.hosts.admit(sender)) {
    observer_.refused(sender, "not allowed");
    return true;
  }
  DatagramLine* const line = line_of(index, arrival->path);
  if (line == nullptr) return true;
  lines_.touch(*line);
  observer_.datagram(line->session_, sender, arrival->size);
  const std::span<const std::byte> datagram(buffer, arrival->size);
  if (line->taps_.received) line->taps_.received(datagram);
  if (!line->handler_->has_room()) return true;
  line->result_.received += datagram.size();
  line->handler_->received(datagram);
  return true;
}

// nullptr: a stranger, while we are with another, or one who can't be served.
DatagramLine* DatagramServer::line_of(std::size_t index, const DatagramPath& path) {
  if (only_peer_) return lines_.oldest();
  if (DatagramLine* const known = lines_.find({index, path.peer, path.local})) return known;
  if (single() && next_id_ > 1) return nullptr;
  if (lines_.size() >= plan_.most_peers)
    close(*lines_.oldest(), Error{ErrorKind::failed, "too many peers", "", 0,
                                  fmt::format("{} others have written since", lines_.size() - 1)});
  return add_line(index, path);
}

DatagramLine* DatagramServer::add_line(std::size_t index, const DatagramPath& path) {
  accept_timer_.cancel();
  auto made = std::make_unique<DatagramLine>();
  made->key = {index, path.peer, path.local};
  made->server_ = this;
  made->session_ = {next_id_++, path.peer, path.local, true};
  made->path_ = path;
  if (plan_.taps) made->taps_ = plan_.taps(made->session_);
  DatagramLine& line = lines_.add(std::move(made));
  observer_.connected(line.session_);
  if (single() && !only_peer_) sockets_[index].connect_if_same(path);
  line.handler_ = service_.serve(line);
  if (const auto started = line.handler_->start(); !started) {
    close(line, started.error());
    return nullptr;
  }
  if (!idle_timer_.active()) arm_idle();
  return &line;
}

int DatagramServer::send(DatagramLine& line, std::span<const std::byte> datagram) {
  const int code = sockets_[line.key.socket].send(datagram, only_peer_ ? nullptr : &line.path_);
  if (is_full(code)) return code;
  lines_.touch(line);
  if (code != 0) return code;
  line.result_.sent += datagram.size();
  if (line.taps_.sent) line.taps_.sent(datagram);
  return 0;
}

void DatagramServer::close(DatagramLine& line, std::optional<Error> error) {
  const std::unique_ptr<DatagramLine> closed = lines_.take(line);  // a callback of its handler may be running
  closed->result_.error = std::move(error);
  closed->result_.took = now() - closed->started_;
  observer_.closed(closed->session_, closed->result_);
  if (single()) finish(closed->result_);
}

// One timer for all: the lines are in the order of their silence.
void DatagramServer::arm_idle() {
  if (!plan_.idle_timeout) return;
  const Deadline next = lines_.expire(
      *plan_.idle_timeout, [this](DatagramLine& line) { close(line, datagrams_idle(*plan_.idle_timeout)); });
  if (!finished_) idle_timer_ = loop_.timer(next, [this] { arm_idle(); });
}

void DatagramServer::finish(const RelayResult& result) {
  if (finished_) return;
  finished_ = true;
  watches_.clear();
  accept_timer_.cancel();
  idle_timer_.cancel();
  loop_.post([this, alive = alive_, result] {
    if (!*alive || !done_) return;
    const auto done = std::move(done_);  // the callback may destroy this server
    done(result);
  });
}

void DatagramServer::end_now() {
  done_ = nullptr;
  finished_ = true;
  watches_.clear();
  while (!lines_.empty()) close(*lines_.oldest(), {});
  service_.end_all();
}

}  // namespace pier

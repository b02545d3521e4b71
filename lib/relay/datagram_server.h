// Who writes to a datagram socket gets a session of its own: served by a DatagramService, answered from the
// address it wrote to, forgotten when it has been silent for too long.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/fd.h"
#include "event/loop.h"
#include "net/datagram.h"
#include "net/hostmatch.h"
#include "net/step.h"
#include "relay/datagram_peers.h"
#include "relay/relay.h"
#include "relay/result.h"

namespace pier {

class DatagramServer;

// Serves one peer.
class DatagramHandler {
 public:
  virtual ~DatagramHandler() = default;
  // Once, before the first datagram. An error is the end of the peer.
  [[nodiscard]] virtual Result<void> start() { return {}; }
  // False: the next datagram is lost, as it is where a socket's own queue is full.
  [[nodiscard]] virtual bool has_room() const { return true; }
  // `datagram` may be empty, and is the caller's.
  virtual void received(std::span<const std::byte> datagram) = 0;
};

// One peer, as its handler sees it.
class DatagramLine {
 public:
  [[nodiscard]] const Session& session() const { return session_; }
  // Whether its end is the server's.
  [[nodiscard]] bool is_only_one() const;
  // One datagram to the peer: 0, or the errno. EAGAIN and ENOBUFS: there is no room now.
  [[nodiscard]] int send(std::span<const std::byte> datagram);
  // Its end. The line and the handler are gone when it returns.
  void close(std::optional<Error> error, std::optional<int> exit_status = {});

  // For DatagramPeers.
  DatagramPeerKey key;
  TimePoint last_activity = now();

 private:
  friend class DatagramServer;
  DatagramServer* server_ = nullptr;
  Session session_;
  DatagramPath path_;
  Taps taps_;
  RelayResult result_;
  TimePoint started_ = now();
  std::unique_ptr<DatagramHandler> handler_;
};

// What a peer's failed datagram means: nothing (it is lost), or the end of its line. True when it ended.
bool end_if_unreachable(DatagramLine& line, int code);

class DatagramService {
 public:
  virtual ~DatagramService() = default;
  [[nodiscard]] virtual std::unique_ptr<DatagramHandler> serve(DatagramLine& line) = 0;
  // After all lines were closed, at an end from outside.
  virtual void end_all() {}
};

struct DatagramServerPlan {
  bool keep_open = false;                       // everybody who writes; otherwise the first alone
  std::optional<Duration> idle_timeout;         // no datagram either way for so long ends that peer
  std::optional<Duration> accept_timeout;       // the first datagram must come within
  std::function<Taps(const Session&)> taps;     // what sees each peer's datagrams; may be empty
  HostRules hosts = {};                         // what others write is dropped
  std::size_t most_peers = kMostDatagramPeers;  // beyond it the one silent the longest is closed
};

class DatagramServer {
 public:
  using Done = std::function<void(const RelayResult&)>;

  // `sockets` are taken over, and bound; or there is one, connected to `peer`, whose client we are.
  // `service` and `observer` are not owned. `done` runs once, from the loop: when the only peer has ended,
  // or on an error or timeout; with keep_open never but for those of the sockets. Not after end_now().
  DatagramServer(Loop& loop, std::vector<Fd> sockets, std::optional<SocketAddress> peer,
                 DatagramServerPlan plan, DatagramService& service, SessionObserver& observer, Done done);
  ~DatagramServer();
  DatagramServer(const DatagramServer&) = delete;
  DatagramServer& operator=(const DatagramServer&) = delete;

  [[nodiscard]] Result<void> start();
  // Closes all lines and reports them, and ends what the service has left.
  void end_now();

 private:
  friend class DatagramLine;

  void on_socket(std::size_t index, Ready ready);
  bool receive_one(std::size_t index);
  DatagramLine* line_of(std::size_t index, const DatagramPath& path);
  DatagramLine* add_line(std::size_t index, const DatagramPath& path);
  int send(DatagramLine& line, std::span<const std::byte> datagram);
  void close(DatagramLine& line, std::optional<Error> error);
  void arm_idle();
  void finish(const RelayResult& result);
  [[nodiscard]] bool single() const { return !plan_.keep_open; }

  Loop& loop_;
  std::vector<DatagramSocket> sockets_;
  std::optional<SocketAddress> only_peer_;
  DatagramServerPlan plan_;
  DatagramService& service_;
  SessionObserver& observer_;
  Done done_;
  std::vector<Watch> watches_;
  Timer accept_timer_, idle_timer_;
  DatagramPeers<DatagramLine> lines_;
  std::uint64_t next_id_ = 1;
  bool finished_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace pier

// A server for stream sockets: accepts on a listener and relays one client, or many, to this process's input
// and output.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "event/listener.h"
#include "event/loop.h"
#include "net/hostmatch.h"
#include "net/options.h"
#include "net/socket.h"
#include "relay/client_limits.h"
#include "relay/hub.h"
#include "relay/relay.h"
#include "relay/result.h"
#include "relay/service.h"
#include "stream/handshake.h"
#include "stream/preface.h"
#include "stream/stream.h"

namespace pier {

struct ServePlan {
  RelayRules rules;
  SocketOptions unix_options = {};  // of each accepted Unix socket, which inherits nothing from its listener
  bool keep_open = false;           // clients one after another and at once; otherwise one
  bool in_turn =
      false;  // with keep_open: never at once, and each as an only one would be; the next one waits
  std::optional<std::uint64_t>
      max_accepts;       // with keep_open: then no more are taken, and it ends with the last
  HostRules hosts = {};  // others are reset at once, and are no client
  // Shared where several servers keep the limits together; otherwise the server makes its own.
  std::shared_ptr<ClientCounts> counts = {};
  ClientLimits limits = {};  // with keep_open; who comes beyond them is treated likewise
  // What each connection says of itself first; not owned. Where it names other addresses, and comes from one
  // of `believed`, those count, for `hosts` and `limits` too. One that does not say it is reset, and is no
  // client.
  Preface* preface = nullptr;
  HostRules believed = {};
  Handshaker* handshaker = nullptr;  // what each client must go through before its session; not owned
  Service* service = nullptr;  // who gets the clients, in place of this process's input and output; not owned
  Hub::Source each_input = {};             // with keep_open: what each client is sent, in place of the input
  std::optional<Duration> accept_timeout;  // nobody connected, and nobody coming, for so long
};

class Server {
 public:
  // The server's own end: of its one client, of its output, after max_accepts, or of time
  // (ErrorKind::deadline).
  using Done = std::function<void(const RelayResult&)>;

  // `local` and `observer` are not owned. `done` runs once, from the loop; not after end_now().
  Server(Loop& loop, Listener listener, Stream& local, ServePlan plan, SessionObserver& observer, Done done);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Starts accepting. A failure to watch the listener's sockets is a fault of this host.
  [[nodiscard]] Result<void> start();
  // The relay of the one client, while there is such; nullptr otherwise.
  [[nodiscard]] const Relay* relay() const { return only_relay_.get(); }
  // Accepts no more, and calls `done` when the last client has ended, at once where there is none.
  void drain();
  [[nodiscard]] const ClientCounts& counts() const { return *plan_.counts; }
  // Ends from outside, by a signal: stops accepting, writes what does not block, closes the clients and
  // reports them. `reset`: with resets.
  void end_now(bool reset = false);

 private:
  void accept_from(Listener::Bound& bound);
  void read_preface(Accepted accepted, const Listener::Bound& bound);
  void preface_read(std::uint64_t number, const Listener::Bound& bound, Result<Preface::Told> told);
  void judge(Accepted accepted, const Listener::Bound& bound, const Preface::Told& told);
  void refuse(const Accepted& accepted, const SocketAddress& peer, std::string_view why);
  void refuse_over_limit(const Accepted& accepted, const SocketAddress& peer, std::string_view why);
  void take(Accepted accepted, const Listener::Bound& bound, const Preface::Told& told);
  void introduce(Session& session, const Preface::Told& told) const;
  void begin(const Session& session, Fd fd);
  void begin(const Session& session, std::unique_ptr<Stream> stream);
  void shake_hands(const Session& session, Fd fd);
  void serve_one(const Session& session, std::unique_ptr<Stream> stream);
  [[nodiscard]] bool nobody_left() const { return sessions_.empty() && handshakes_.empty(); }
  [[nodiscard]] std::size_t connections() const {
    return sessions_.size() + handshakes_.size() + introducing_.size();
  }
  [[nodiscard]] bool has_room() const { return !plan_.limits.room || connections() < *plan_.limits.room; }
  void service_closed(std::uint64_t id, const RelayResult& result);
  void client_closed(std::uint64_t id, const RelayResult& result);
  void end_after_last();
  void stop_accepting();
  void handshake_failed(const Session& session, const Error& error);
  void pause_accepting(std::string_view why);
  void out_of_descriptors(const Error& error);
  void resume_accepting();
  // Each client has this process's input and output to itself.
  [[nodiscard]] bool by_itself() const { return !plan_.keep_open || plan_.in_turn; }
  void arm_accept_timeout();
  void finish(const RelayResult& result);

  Loop& loop_;
  Listener listener_;
  Stream& local_;
  ServePlan plan_;
  SessionObserver& observer_;
  Done done_;
  std::vector<Watch> accept_watches_;
  Timer accept_timer_;
  Timer retry_timer_;  // of accepting, where no client of ours will make room
  struct Introducing {
    Accepted accepted;
    std::unique_ptr<Handshake> preface;
  };
  std::map<std::uint64_t, Introducing> introducing_;  // who has not said yet who it is
  std::uint64_t introduced_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Handshake>> handshakes_;  // of clients without a session yet
  std::map<std::uint64_t, Session> sessions_;
  std::unique_ptr<Stream> only_stream_;  // of the one client
  std::unique_ptr<Relay> only_relay_;
  std::unique_ptr<Hub> hub_;
  std::uint64_t accepted_ = 0;
  static constexpr int kMostBurst = 64;
  static constexpr Duration kRetry = std::chrono::milliseconds(100);
  int burst_ = 1;  // how many are accepted at the next event
  bool accepting_ = false;
  bool paused_ = false;               // no descriptor is free
  bool told_of_descriptors_ = false;  // since all who waited were last accepted
  bool draining_ = false;
  bool finished_ = false;
};

}  // namespace pier

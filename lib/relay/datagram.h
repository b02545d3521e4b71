// Datagram sockets (UDP, Unix) joined to this process's input and output: rows 10 to 12, 14 to 16 and 19 of
// the close table.
//
// There is no connection and no end: each read of the input is one datagram, each datagram received is
// written to the output, and a datagram of length 0 is a message like any other. A client's socket has its
// peer fixed by connect(2); a server answers whoever has written to it: the first alone, or with keep_open
// all of them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "event/loop.h"
#include "net/datagram.h"
#include "net/hostmatch.h"
#include "relay/datagram_peers.h"
#include "relay/relay.h"
#include "relay/result.h"
#include "stream/filters.h"
#include "stream/stream.h"

namespace pier {

// What stands around each datagram on its way through a proxy.
struct DatagramWrap {
  struct Unwrapped {
    SocketAddress from;  // empty where it is no literal
    std::span<const std::byte> payload;
  };
  std::function<std::string(std::span<const std::byte> payload)> wrap;
  // Nothing for what is to be dropped; the payload lies within what was given.
  std::function<std::optional<Unwrapped>(std::span<const std::byte> datagram)> unwrap;
};

struct DatagramPlan {
  // send, receive, crlf, taps, steps, idle_is_end; and idle_timeout, of the whole or, of a server with
  // keep_open, of each peer, which is then forgotten.
  RelayRules rules;
  bool keep_open = false;  // a server: go on for ever, with every peer
  // After the input's end, how long to wait for a reply, and after each reply for another; nothing: for ever.
  std::optional<Duration> reply_timeout = std::chrono::seconds(1);
  HostRules hosts = {};                    // a server: what others write is dropped
  std::optional<Duration> accept_timeout;  // a server: the first datagram must come within
  std::size_t largest = 16 * 1024;         // bytes of input that one datagram carries at most: what nc sends

  // Of a client:
  std::optional<std::uint64_t> replies = {};  // it ends with so many; fewer are a passed deadline
  // The peer is a group or a broadcast address: the socket is not connected, and whoever replies is heard.
  bool to_many = false;
  std::optional<DatagramWrap> wrap = {};
  // Until then the first datagram is sent again when it is refused (--wait), and the input waits until it is
  // not.
  std::optional<Deadline> insist = {};
};

class DatagramRelay {
 public:
  using Done = std::function<void(const RelayResult&)>;

  // No datagram of UDP over IPv4 carries more.
  static constexpr std::size_t kMostPayload = 65507;

  // `sockets` are taken over; a client's one is connected (`peer` says to whom), a server's are bound.
  // `local` and `observer` are not owned. `done` runs once, from the loop; not after end_now().
  DatagramRelay(Loop& loop, std::vector<Fd> sockets, std::optional<SocketAddress> peer, Stream& local,
                const DatagramPlan& plan, SessionObserver& observer, Done done);
  ~DatagramRelay();
  DatagramRelay(const DatagramRelay&) = delete;
  DatagramRelay& operator=(const DatagramRelay&) = delete;

  [[nodiscard]] Result<void> start();
  // Bytes so far, of all peers.
  [[nodiscard]] RelayResult total() const;
  // Ends from outside; reports the sessions as closed.
  RelayResult end_now();

 private:
  struct Peer {
    DatagramPeerKey key;
    TimePoint last_activity = now();
    Session session;
    DatagramPath path;
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
    TimePoint started = now();
    Taps taps = {};
  };

  void on_socket(std::size_t index, Ready ready);
  void on_input();
  void on_output(Ready ready);
  bool receive_one(std::size_t index);
  Peer* peer_from(std::size_t index, const DatagramPath& path);
  Peer& fix_peer(std::size_t index, const DatagramPath& path);
  [[nodiscard]] Peer& only_peer() const { return *peers_.oldest(); }
  [[nodiscard]] bool many() const { return server_ && plan_.keep_open; }
  void take_targets();
  void send_pending();
  bool send_to(Peer& peer);
  void wait_to_send(const Peer& peer, int code);
  void forget(Peer& peer, std::optional<Error> error);
  void drain_output();
  void socket_failed(int code);
  bool insist(int code);
  void received_by_now();
  void settle();
  void update_interest();
  void arm_end_timer();
  void arm_idle();
  void arm_peers_idle();
  void arm_accept_timeout();
  [[nodiscard]] RelayResult result_of(const Peer& peer) const;
  void finish(std::optional<Error> error, bool output_closed = false);

  Loop& loop_;
  std::vector<DatagramSocket> sockets_;
  Stream& local_;
  DatagramPlan plan_;
  SessionObserver& observer_;
  Done done_;
  bool server_;
  std::vector<Watch> watches_;
  Watch input_watch_, output_watch_;
  Timer end_timer_, idle_timer_, accept_timer_;
  Timer retry_timer_;  // while blocked_ is nothing that poll would tell the end of
  Duration retry_pause_{};
  Timer insist_timer_;
  std::uint64_t replies_ = 0;
  DatagramPeers<Peer> peers_;
  std::uint64_t forgotten_received_ = 0;  // of peers no longer among them
  std::uint64_t forgotten_sent_ = 0;
  std::uint64_t next_id_ = 1;
  CrlfFilter crlf_;
  std::vector<std::byte> pending_;  // a datagram read from the input and not yet sent
  bool has_pending_ = false;
  std::vector<Peer*> targets_;    // whom it goes to: nullptr where one has gone since
  std::size_t pending_next_ = 0;  // the target it goes to next
  ByteQueue output_;
  TimePoint started_ = now();
  TimePoint last_activity_ = now();
  bool input_ended_ = false;
  bool blocked_ = false;  // the socket took no more
  bool finished_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace pier

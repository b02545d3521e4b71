// A program for each peer of a datagram socket (--exec with -u).
//
// Each write of the program is one datagram to its peer: its stdout is a socket that keeps messages apart.
// Its stdin is a pipe that is given one datagram at a time, the next when that has been read: a program that
// reads with room for a datagram gets one each time, and one that reads by the byte (a shell's `read`) loses
// nothing, as it would from a datagram socket. An empty datagram is not seen. A program that reads too slowly
// loses datagrams, as on any other way that a datagram can take.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "event/loop.h"
#include "net/address.h"
#include "net/hostmatch.h"
#include "net/step.h"
#include "relay/child.h"
#include "relay/program.h"
#include "relay/relay.h"
#include "relay/result.h"

namespace pier {

struct DatagramExecPlan {
  Program program;
  std::optional<std::size_t> descriptors;    // as for Children
  bool keep_open = false;                    // a server: everybody who writes; otherwise the first alone
  std::optional<Duration> idle_timeout;      // no datagram either way for so long ends that peer
  std::optional<Duration> accept_timeout;    // a server: the first datagram must come within
  std::function<Taps(const Session&)> taps;  // what sees each peer's datagrams; may be empty
  HostRules hosts = {};                      // a server: what others write is dropped
  StepSink* steps = nullptr;
};

class DatagramExec {
 public:
  using Done = std::function<void(const RelayResult&)>;

  // Programs at once. Beyond it the peer that has been silent the longest is hung up.
  static constexpr std::size_t kMostPeers = 1024;

  // `sockets` are taken over; a client's one is connected to `peer`, a server's are bound. `done` runs once,
  // from the loop: when the only peer's program has ended (with its exit status), or on an error or timeout;
  // with keep_open never but for those of the sockets. Not after end_now().
  DatagramExec(Loop& loop, std::vector<Fd> sockets, std::optional<SocketAddress> peer, DatagramExecPlan plan,
               SessionObserver& observer, Done done);
  ~DatagramExec();
  DatagramExec(const DatagramExec&) = delete;
  DatagramExec& operator=(const DatagramExec&) = delete;

  [[nodiscard]] Result<void> start();
  // Ends all programs and reports their peers; waits until none is left (Children::kEndGrace at most).
  void end_now();

 private:
  struct Peer;
  using Key = std::pair<std::size_t, std::string>;  // the socket's index, and the address as bytes

  void on_socket(std::size_t index, Ready ready);
  bool receive_one(std::size_t index);
  Peer* peer_from(std::size_t index, const SocketAddress& address);
  Peer* add_peer(std::size_t index, const SocketAddress& address);
  void make_room();
  [[nodiscard]] Result<void> start_program(Peer& peer);
  void give(Peer& peer);
  void on_program(Peer& peer);
  enum class Sent { done, waits, closed };  // closed: the peer is no more
  Sent send(Peer& peer);
  void wait_to_send(Peer& peer);
  void program_ended(Peer& peer, int code);
  void drain_ended(Peer& peer);
  void close_peer(Peer& peer, std::optional<Error> error);
  void arm_idle(Peer& peer);
  void finish(const RelayResult& result);
  [[nodiscard]] bool single() const { return !plan_.keep_open; }

  Loop& loop_;
  std::vector<Fd> sockets_;
  std::optional<SocketAddress> only_peer_;
  DatagramExecPlan plan_;
  SessionObserver& observer_;
  Done done_;
  Children children_;
  std::vector<Watch> watches_;
  Timer accept_timer_;
  std::map<Key, std::unique_ptr<Peer>> peers_;
  std::uint64_t next_id_ = 1;
  bool finished_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace pier

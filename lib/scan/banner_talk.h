// Asking one open TCP port what it is.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "event/connector.h"
#include "event/loop.h"
#include "net/address.h"
#include "scan/banner.h"
#include "stream/handshake.h"
#include "stream/stream.h"
#include "stream/tls_report.h"

namespace pier {

// Makes TLS to a server of this name, or of none where it is empty; `offers` are its ALPN protocols. `report`
// hears of a handshake that is complete. nullptr where there is no TLS on this host.
using MakeTls = std::function<std::unique_ptr<Handshaker>(const std::string& name, bool offers,
                                                          std::function<void(const TlsReport&)> report)>;

struct BannerPlan {
  SocketAddress address;
  std::string name;        // of the host, for TLS; empty when it has none
  bool tls_first = false;  // TLS is usual on this port
  std::optional<SocketAddress> source = {};
  std::string interface = {};
};

// It listens first, for kPatience: most protocols of old have the server speak first. To a silent one it says
// "GET / HTTP/1.0" (RFC 1945), and where that tells nothing or asks for TLS, it connects again for a TLS
// handshake, after which it asks once more. Where TLS is usual that comes first. Nothing that it gets is
// verified, and nothing but that request is ever sent. Calls back once, never from inside the constructor;
// destroying it cancels.
class BannerTalk {
 public:
  static constexpr Duration kPatience = std::chrono::milliseconds(1500);  // for each answer
  static constexpr Duration kLimit = std::chrono::seconds(8);             // for all of it
  static constexpr std::size_t kMostBytes = 4096;                         // of an answer

  using Done = std::function<void(Banner)>;
  BannerTalk(Loop& loop, BannerPlan plan, const MakeTls& make_tls, Done done);
  BannerTalk(const BannerTalk&) = delete;
  BannerTalk& operator=(const BannerTalk&) = delete;

 private:
  enum class Way : unsigned char { plain, tls, tls_again };

  void connect(Way way);
  void begin();
  void connected(Fd fd);
  void talk(std::unique_ptr<Stream> stream);
  void ask();
  void on_ready();
  void receive();
  [[nodiscard]] bool heard() const;
  void wait(Duration patience);
  void answered();
  void failed();
  void finish();

  Loop& loop_;
  BannerPlan plan_;
  const MakeTls& make_tls_;
  Done done_;
  Banner banner_;
  Way way_ = Way::plain;
  bool tried_plain_ = false, tried_tls_ = false;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<Handshaker> handshaker_;
  std::unique_ptr<Handshake> handshake_;
  std::unique_ptr<Stream> stream_;
  Watch watch_;
  Timer patience_, limit_;
  std::string received_;
  std::size_t sent_ = 0;
  bool asking_ = false;  // the request is said, or on its way
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace pier

// The conversations of --banner that are under way in one process.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "cli/app.h"
#include "event/loop.h"
#include "scan/banner.h"
#include "scan/banner_talk.h"
#include "scan/prober.h"
#include "scan/result.h"
#include "stream/tls_handshake.h"

namespace pier::scan {

// A port that says nothing takes up to 8 s.
inline constexpr std::size_t kBannersAtOnce = 64;

class BannerTalks {
 public:
  // `done` may ask the next one; a talk that is over is no longer counted then.
  using Done = std::function<void(std::uint64_t number, const Banner& banner)>;
  // The app and the loop must outlive it.
  BannerTalks(const App& app, Loop& loop, ProbeSource source, Done done);

  // Loads OpenSSL now, and not at the first port that wants it: later this process may not.
  void load_tls();

  // An open TCP port, with its host's name; the number is the caller's, and unique among those under way.
  void ask(std::uint64_t number, const PortResult& port);
  [[nodiscard]] std::size_t size() const { return talks_.size(); }
  void cancel() { talks_.clear(); }

 private:
  class Tls {
   public:
    explicit Tls(const App& app) : app_(app) {}
    std::unique_ptr<Handshaker> make(const std::string& name, bool offers, TlsHandshaker::Report report);
    // Nullptr where this host has none.
    const std::shared_ptr<const TlsContext>& context(bool offers);

   private:
    const App& app_;
    std::shared_ptr<const TlsContext> offering_, plain_;
    std::optional<Error> failure_;
    bool told_ = false;
  };

  Loop& loop_;
  ProbeSource source_;
  Done done_;
  Tls tls_;
  MakeTls make_tls_;
  std::unordered_map<std::uint64_t, std::unique_ptr<BannerTalk>> talks_;
};

}  // namespace pier::scan

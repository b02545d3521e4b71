// The neighbours of a scan on links with MAC addresses: which addresses they have told, and the probes that
// wait for them to tell.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "net/address.h"
#include "packet/way.h"

namespace pier {

// A probe without its address.
struct HeldProbe {
  std::uint64_t tag = 0;
  std::uint16_t port = 0;
  std::uint8_t lane = 0;
};

// Keys are without zones. Sends nothing itself: it says what is to be asked, and which probes can go. So a
// scan of a large network does without the kernel's table, which has room for some thousand neighbours, and
// drops packets to others.
//
// Memory: 24 bytes for each probe that waits, and some 200 for each neighbour that is asked for or known: 45
// MB at the very most, where as many probes wait as may, each for another neighbour.
class Neighbours {
 public:
  static constexpr std::size_t kMostHeld = std::size_t{1} << 17;
  static constexpr std::size_t kMostKnown = std::size_t{1} << 16;  // who was not asked about for longest goes
  static constexpr unsigned kMostRequests = 3;                     // while a probe waits
  static constexpr Duration kBetweenRequests = std::chrono::milliseconds(300);
  static constexpr Duration kLongestHold = std::chrono::seconds(1);
  // Older than that, an address is still used, and asked for again: it may be another's by now.
  static constexpr Duration kFresh = std::chrono::seconds(1);
  // So many neighbours at once, or those for whom several probes wait, are asked for again before the hold is
  // over. Where there are more, most are nobody: asking all of them three times would take three times as
  // long, and the scan comes back to them anyway.
  static constexpr std::size_t kFew = 256;

  // How many probes more may be held.
  [[nodiscard]] std::size_t room() const { return kMostHeld - held_count_; }

  // The MAC address where it is known. Makes it one of the last that were asked about.
  [[nodiscard]] std::optional<MacAddress> find(const NeighbourKey& key, TimePoint when);
  // Whether probes wait for it.
  [[nodiscard]] bool is_awaited(const NeighbourKey& key) const;
  // From elsewhere; `fixed`: as an administrator has set it, never asked for.
  void learn(const NeighbourKey& key, const MacAddress& mac, bool fixed);
  // Keeps the probe until the neighbour tells its address, or kLongestHold is over. Only with room().
  void hold(const NeighbourKey& key, const HeldProbe& probe, TimePoint when);

  // A neighbour to be asked for now; first() is for a probe that came just now, again() is of its own accord.
  // nullptr where there is none; valid until the next call of another function. Then asked() or give_up().
  [[nodiscard]] const NeighbourKey* first();
  [[nodiscard]] const NeighbourKey* again(TimePoint when);
  void asked(const NeighbourKey& key, TimePoint when);
  // The tags of the probes that waited for it.
  [[nodiscard]] std::vector<std::uint64_t> give_up(const NeighbourKey& key);

  // Whether a reply counts now: only the first one after each request, as long as that is not older than
  // kLongestHold.
  [[nodiscard]] bool awaits_reply(const NeighbourKey& key, TimePoint when) const;
  // A reply; only where awaits_reply().
  void told(const NeighbourKey& key, const MacAddress& mac);
  // A probe that has waited for a neighbour that is known now.
  [[nodiscard]] std::optional<std::pair<NeighbourKey, HeldProbe>> take_ready();
  [[nodiscard]] bool is_any_ready() const { return !ready_.empty(); }

  // Drops what has waited for too long, and appends the tags of those probes.
  void expire(TimePoint when, std::vector<std::uint64_t>& dropped);
  // Forgets what is known: of one that was fixed, or of all. Probes go on waiting.
  void forget_fixed(const NeighbourKey& key, TimePoint when);
  void forget_all(TimePoint when);

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Entry {
    NeighbourKey key;
    MacAddress mac{};
    bool known = false;
    bool fixed = false;
    bool awaits_reply = false;
    bool to_ask = false;  // is in first_ or again_
    bool ready = false;   // is in ready_
    unsigned requests = 0;
    TimePoint since{};                      // it is waited for
    TimePoint asked_at = TimePoint::min();  // last
    std::uint32_t first_held = kNone;
    std::uint32_t last_held = kNone;
  };
  using Entries = std::list<Entry>;
  struct Hash {
    std::size_t operator()(const NeighbourKey& key) const;
  };
  struct Held {
    HeldProbe probe;
    std::uint32_t next = kNone;
  };

  [[nodiscard]] Entry* find_entry(const NeighbourKey& key);
  Entry& add(const NeighbourKey& key, TimePoint when);
  void erase(Entries& from, Entries::iterator entry);
  void forget(Entries::iterator entry, TimePoint when);
  void make_ready(Entry& entry);
  [[nodiscard]] HeldProbe pop_held(Entry& entry);
  void evict();
  void set_known(const NeighbourKey& key, Entry& entry, const MacAddress& mac);

  std::unordered_map<NeighbourKey, Entries::iterator, Hash> entries_;
  Entries pending_;        // not known; by `since`
  Entries known_;          // who was asked about last is last
  Entry* last_ = nullptr;  // of known_, found by the last find(): most often it is the next one, too
  std::deque<NeighbourKey> first_;
  std::deque<NeighbourKey> again_;
  std::deque<std::pair<TimePoint, NeighbourKey>> due_;  // to be asked for again then, if still silent
  std::deque<NeighbourKey> ready_;
  std::vector<Held> held_;  // linked: of each entry, and those that are free
  std::uint32_t free_ = kNone;
  std::size_t held_count_ = 0;
};

}  // namespace pier

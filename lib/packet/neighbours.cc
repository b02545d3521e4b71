#include "packet/neighbours.h"

#include <algorithm>
#include <cstring>

namespace pier {

std::size_t Neighbours::Hash::operator()(const NeighbourKey& key) const {
  // Neighbours differ in the last bytes of their addresses; who chooses those of a network chooses no keys
  // here that were not asked for.
  const auto bytes = key.address.bytes();
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  if (bytes.size() == sizeof high + sizeof low) std::memcpy(&high, bytes.data(), sizeof high);
  std::memcpy(&low, bytes.data() + bytes.size() - std::min(bytes.size(), sizeof low),
              std::min(bytes.size(), sizeof low));
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;  // 2^64 by the golden ratio
  std::uint64_t mixed = (low ^ high * kOdd ^ key.interface) * kOdd;
  mixed ^= mixed >> 32;
  return static_cast<std::size_t>(mixed * kOdd >> 16);
}

Neighbours::Entry* Neighbours::find_entry(const NeighbourKey& key) {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &*found->second;
}

Neighbours::Entry& Neighbours::add(const NeighbourKey& key, TimePoint when) {
  const auto entry = pending_.emplace(pending_.end());
  entry->key = key;
  entry->since = when;
  entries_.emplace(key, entry);
  return *entry;
}

void Neighbours::erase(Entries& from, Entries::iterator entry) {
  while (entry->first_held != kNone) (void)pop_held(*entry);
  if (last_ == &*entry) last_ = nullptr;
  entries_.erase(entry->key);
  from.erase(entry);
}

HeldProbe Neighbours::pop_held(Entry& entry) {
  const std::uint32_t at = entry.first_held;
  Held& held = held_[at];
  entry.first_held = held.next;
  if (entry.first_held == kNone) entry.last_held = kNone;
  held.next = free_;
  free_ = at;
  --held_count_;
  return held.probe;
}

void Neighbours::make_ready(Entry& entry) {
  if (entry.ready || entry.first_held == kNone) return;
  entry.ready = true;
  ready_.push_back(entry.key);
}

std::optional<MacAddress> Neighbours::find(const NeighbourKey& key, TimePoint when) {
  if (last_ == nullptr || last_->key != key) {
    const auto found = entries_.find(key);
    if (found == entries_.end() || !found->second->known) return std::nullopt;
    known_.splice(known_.end(), known_, found->second);
    last_ = &*found->second;
  }
  if (!last_->fixed && !last_->to_ask && when >= last_->asked_at + kFresh) {
    last_->to_ask = true;
    again_.push_back(key);
  }
  return last_->mac;
}

bool Neighbours::is_awaited(const NeighbourKey& key) const {
  const auto found = entries_.find(key);
  return found != entries_.end() && !found->second->known;
}

void Neighbours::set_known(const NeighbourKey& key, Entry& entry, const MacAddress& mac) {
  entry.mac = mac;
  entry.to_ask = false;
  if (!entry.known) {
    entry.known = true;
    known_.splice(known_.end(), pending_, entries_.at(key));
  }
  make_ready(entry);
  evict();
}

void Neighbours::evict() {
  while (known_.size() > kMostKnown && known_.front().first_held == kNone) erase(known_, known_.begin());
}

void Neighbours::learn(const NeighbourKey& key, const MacAddress& mac, bool fixed) {
  Entry* entry = find_entry(key);
  if (entry == nullptr) entry = &add(key, {});
  entry->fixed = fixed;
  set_known(key, *entry, mac);
}

void Neighbours::hold(const NeighbourKey& key, const HeldProbe& probe, TimePoint when) {
  Entry* entry = find_entry(key);
  if (entry == nullptr) entry = &add(key, when);
  std::uint32_t at = free_;
  if (at == kNone) {
    at = static_cast<std::uint32_t>(held_.size());
    held_.emplace_back();
  } else {
    free_ = held_[at].next;
  }
  held_[at] = {probe, kNone};
  (entry->last_held == kNone ? entry->first_held : held_[entry->last_held].next) = at;
  entry->last_held = at;
  ++held_count_;
  if (entry->known) return make_ready(*entry);
  if (entry->to_ask || entry->requests >= kMostRequests || when < entry->asked_at + kBetweenRequests) return;
  entry->to_ask = true;
  first_.push_back(key);
}

const NeighbourKey* Neighbours::first() {
  // What has been forgotten, or told, meanwhile needs no request any more.
  for (; !first_.empty(); first_.pop_front()) {
    const Entry* entry = find_entry(first_.front());
    if (entry != nullptr && entry->to_ask) return &first_.front();
  }
  return nullptr;
}

const NeighbourKey* Neighbours::again(TimePoint when) {
  for (; !due_.empty() && due_.front().first <= when; due_.pop_front()) {
    Entry* entry = find_entry(due_.front().second);
    if (entry == nullptr || entry->known || entry->to_ask || entry->requests >= kMostRequests) continue;
    if (when < entry->asked_at + kBetweenRequests) continue;
    if (pending_.size() > kFew && entry->first_held == entry->last_held) continue;
    entry->to_ask = true;
    again_.push_back(entry->key);
  }
  for (; !again_.empty(); again_.pop_front()) {
    const Entry* entry = find_entry(again_.front());
    if (entry != nullptr && entry->to_ask) return &again_.front();
  }
  return nullptr;
}

void Neighbours::asked(const NeighbourKey& key, TimePoint when) {
  Entry* entry = find_entry(key);
  if (entry == nullptr) return;
  entry->to_ask = false;
  entry->awaits_reply = true;
  entry->asked_at = when;
  if (!entry->known && ++entry->requests < kMostRequests) due_.emplace_back(when + kBetweenRequests, key);
}

std::vector<std::uint64_t> Neighbours::give_up(const NeighbourKey& key) {
  std::vector<std::uint64_t> tags;
  const auto found = entries_.find(key);
  if (found == entries_.end()) return tags;
  Entry& entry = *found->second;
  entry.to_ask = false;
  if (entry.known) return tags;
  while (entry.first_held != kNone) tags.push_back(pop_held(entry).tag);
  erase(pending_, found->second);
  return tags;
}

bool Neighbours::awaits_reply(const NeighbourKey& key, TimePoint when) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return false;
  const Entry& entry = *found->second;
  return !entry.fixed && entry.awaits_reply && when <= entry.asked_at + kLongestHold;
}

void Neighbours::told(const NeighbourKey& key, const MacAddress& mac) {
  Entry& entry = *entries_.at(key);
  entry.awaits_reply = false;
  set_known(key, entry, mac);
}

std::optional<std::pair<NeighbourKey, HeldProbe>> Neighbours::take_ready() {
  while (!ready_.empty()) {
    Entry* entry = find_entry(ready_.front());
    if (entry != nullptr && entry->ready && entry->first_held != kNone) {
      std::pair taken(entry->key, pop_held(*entry));
      if (entry->first_held == kNone) {
        entry->ready = false;
        ready_.pop_front();
      }
      return taken;
    }
    if (entry != nullptr) entry->ready = false;
    ready_.pop_front();
  }
  return std::nullopt;
}

void Neighbours::expire(TimePoint when, std::vector<std::uint64_t>& dropped) {
  while (!pending_.empty() && when >= pending_.front().since + kLongestHold) {
    const auto entry = pending_.begin();
    while (entry->first_held != kNone) dropped.push_back(pop_held(*entry).tag);
    erase(pending_, entry);
  }
}

void Neighbours::forget(Entries::iterator entry, TimePoint when) {
  if (entry->first_held == kNone) return erase(known_, entry);
  if (last_ == &*entry) last_ = nullptr;
  entry->known = entry->fixed = entry->awaits_reply = entry->ready = false;
  entry->requests = 0;
  entry->since = when;
  pending_.splice(pending_.end(), known_, entry);
  entry->to_ask = true;
  first_.push_back(entry->key);
}

void Neighbours::forget_fixed(const NeighbourKey& key, TimePoint when) {
  const auto found = entries_.find(key);
  if (found != entries_.end() && found->second->known && found->second->fixed) forget(found->second, when);
}

void Neighbours::forget_all(TimePoint when) {
  ready_.clear();
  for (auto at = known_.begin(); at != known_.end();) forget(at++, when);
}

}  // namespace pier

// How fast a scan without windows may go: as fast as was asked for, until that loses packets.
#pragma once

#include "base/clock.h"

namespace pier {

// Learns from checks: probes of ports that have answered before, so that their silence is a loss.
//
// It begins at kFirstRate and doubles every kDoubling up to what is wanted, as long as checks are answered.
// When too many checks are lost, it goes to the rate at which they were answered. If that does not help, the
// network loses as much at any rate: it goes back, and takes that for the weather. If it does help, there is
// a limit, and from there on it goes up a little as long as hardly anything is lost, and down a little when
// something is: each time it waits longer before it tries more again.
class SynRate {
 public:
  static constexpr double kFirstRate = 10'000;
  static constexpr Duration kDoubling = std::chrono::milliseconds(50);
  static constexpr double kSlowest = 20;  // however much is lost

  SynRate(double wanted, TimePoint when);

  // From now on; at least 1.
  void want(double rate, TimePoint when);
  [[nodiscard]] double wanted() const { return wanted_; }
  // Probes a second.
  [[nodiscard]] double rate() const { return rate_; }
  // Whether the network, and not the user, sets it.
  [[nodiscard]] bool limited() const { return limited_; }

  // Time passes. `checking`: the end of some checks is not known yet.
  void tick(TimePoint when, bool checking);
  // The end of a check that was sent at `sent`.
  void check(bool lost, TimePoint sent, TimePoint when);

 private:
  void judge(TimePoint when);
  void cut(double loss, TimePoint when);
  void ease(double loss, TimePoint when);
  void go_back(double loss, TimePoint when);
  void restart(TimePoint when);
  void set(double rate);

  double wanted_;
  double rate_;
  bool starting_ = true;  // doubles
  bool limited_ = false;
  bool near_ = false;    // to the limit
  bool trying_ = false;  // has just cut, and does not know yet whether that helps
  double cut_rate_ = 0;  // before the last cut
  double cut_loss_ = 0;
  unsigned cuts_ = 0;  // in a row, each of which left too much
  double first_cut_ = 0;
  double weather_ = 0;  // the share of checks that is lost at any rate
  TimePoint doubled_;
  TimePoint faster_;     // when it last went up in small steps, or will at the earliest
  Duration pause_{};     // after the last time it went down a little
  bool easing_ = false;  // has just gone down a little, and does not know yet whether that helps
  double eased_from_ = 0;
  TimePoint since_;  // checks sent before do not count
  unsigned asked_ = 0;
  unsigned lost_ = 0;
  unsigned in_a_row_ = 0;
  unsigned futile_ = 0;  // cuts that did not help, in a row
};

}  // namespace pier

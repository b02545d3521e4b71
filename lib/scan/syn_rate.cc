#include "scan/syn_rate.h"

#include <algorithm>
#include <cmath>

namespace pier {
namespace {

// So many checks make a finding, and say whether a cut has helped; fewer when all of the last were lost.
constexpr unsigned kChecks = 64;
constexpr unsigned kChecksOfTrial = 96;
constexpr unsigned kAllLost = 16;
constexpr unsigned kChecksToDouble = 16;
constexpr double kTooMuchToDouble = 0.25;
constexpr Duration kLongestDoubling = std::chrono::milliseconds(200);
// More than the weather's share, and than what chance makes of it (three standard deviations), is too much.
constexpr double kTooMuch = 0.2;
constexpr double kTooMuchWhenLimited = 0.05;
constexpr double kLeastWeather = 0.02;
constexpr double kLeastShare = 0.1;
constexpr double kBelow = 0.95;       // of the rate that was answered
constexpr double kMuchFaster = 1.05;  // until something is lost
constexpr double kFaster = 1.01;
constexpr Duration kBetweenFaster = std::chrono::milliseconds(250);
// At a limit, so many lost checks more than the weather's are its doing, if going down a little helps.
constexpr double kLostAtLimit = 2;
constexpr double kEased = 0.99;  // of the rate that is taken
constexpr Duration kFirstPause = std::chrono::seconds(4);
constexpr Duration kLongestPause = std::chrono::seconds(16);
// A finding tells of the weather by this weight, and at a limit, where only less than before does, by that.
// One that an easing did not change tells more.
constexpr double kWeatherWeight = 0.125;
constexpr double kWeatherWeightAtLimit = 0.03;
constexpr double kWeatherWeightOfEasing = 0.5;
constexpr double kAlmostAll = 0.85;
constexpr unsigned kMostCuts = 3;  // in a row
// After so many cuts in a row that did not help there is no other.
constexpr unsigned kMostFutile = 4;

}  // namespace

SynRate::SynRate(double wanted, TimePoint when)
    : wanted_(std::max(wanted, 1.0)),
      rate_(std::min(wanted_, kFirstRate)),
      doubled_(when),
      faster_(when),
      since_(when) {}

void SynRate::want(double rate, TimePoint when) {
  wanted_ = std::max(rate, 1.0);
  // Who asks for more wants to see it tried.
  starting_ = true;
  limited_ = trying_ = easing_ = false;
  doubled_ = when;
  set(rate_);
}

void SynRate::set(double rate) {
  rate_ = std::clamp(rate, std::min(kSlowest, wanted_), wanted_);
}

void SynRate::restart(TimePoint when) {
  since_ = when;
  asked_ = lost_ = in_a_row_ = 0;
}

// Each rate is judged by checks of its own, as far as there are any.
void SynRate::tick(TimePoint when, bool checking) {
  if (!starting_ || rate_ >= wanted_) return;
  const bool much = lost_ > (weather_ + kTooMuchToDouble) * asked_;
  const bool well = asked_ >= kChecksToDouble && !much;
  const Duration waited = when - doubled_;
  if (waited < kDoubling || ((asked_ > 0 || checking) && !well && waited < kLongestDoubling)) return;
  if (much) return;
  doubled_ = when;
  set(rate_ * 2);
  restart(when);
}

void SynRate::check(bool lost, TimePoint sent, TimePoint when) {
  if (sent < since_) return;
  ++asked_;
  if (lost) ++lost_;
  in_a_row_ = lost ? in_a_row_ + 1 : 0;
  const bool all_lost = (!trying_ || cut_loss_ > kAlmostAll) && in_a_row_ >= kAllLost && weather_ < 0.5;
  if (all_lost || asked_ >= (trying_ || easing_ ? kChecksOfTrial : kChecks)) judge(when);
}

void SynRate::judge(TimePoint when) {
  const double asked = asked_;
  const double loss = lost_ / asked;
  if (trying_) {
    // What is left of it if there is a limit, by what came through before; if there is none, it is as before.
    const double by_limit = std::max(0.0, 1 - cut_rate_ * (1 - cut_loss_) / rate_);
    trying_ = false;
    // Of a few that were answered by chance, nothing can be foretold.
    const bool told = cut_loss_ <= kAlmostAll;
    if (told && loss > (by_limit + cut_loss_) / 2) return go_back(loss, when);
    if (told || loss <= kAlmostAll) {
      limited_ = true;
      futile_ = 0;
    }
  }
  const double weather = std::max(weather_, kLeastWeather);
  const double chance = 3 * std::sqrt(weather * (1 - weather) / asked);
  const double much = weather_ + (limited_ ? kTooMuchWhenLimited : kTooMuch) + chance;
  if (futile_ < kMostFutile && loss > much) return cut(loss, when);
  if (easing_) {
    easing_ = false;
    if (lost_ > weather_ * asked + 1) {
      weather_ += kWeatherWeightOfEasing * (loss - weather_);
      set(eased_from_);
      return restart(when);
    }
    pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
    faster_ = when + pause_;
  }
  cuts_ = 0;
  const double usual = weather_ * asked;
  const double some = usual + 2 * std::sqrt(usual * (1 - weather_)) + kLostAtLimit;
  if (limited_ && lost_ > some) return ease(loss, when);
  // At a limit, what it takes is no weather.
  if (!limited_)
    weather_ += kWeatherWeight * (loss - weather_);
  else if (loss < weather_)
    weather_ += kWeatherWeightAtLimit * (loss - weather_);
  if (limited_ && lost_ > usual + 1) near_ = true;
  if (limited_ && lost_ <= usual + 1 && when >= faster_ + kBetweenFaster) {
    faster_ = when;
    set(rate_ * (near_ ? kFaster : kMuchFaster));
  }
  restart(when);
}

void SynRate::go_back(double loss, TimePoint when) {
  ++futile_;
  cuts_ = 0;
  weather_ = std::max(weather_, std::min(loss, cut_loss_));
  limited_ = false;
  starting_ = true;
  doubled_ = when;
  set(cut_rate_);
  restart(when);
}

// Below a limit nothing of its loss is left; what is left is weather.
void SynRate::ease(double loss, TimePoint when) {
  easing_ = near_ = true;
  eased_from_ = rate_;
  set(rate_ * kEased * (1 - (loss - weather_)));
  restart(when);
}

void SynRate::cut(double loss, TimePoint when) {
  near_ = limited_;
  starting_ = easing_ = false;
  trying_ = true;
  // Who answers nobody any more, at no rate, has another reason.
  if (cuts_++ == 0) first_cut_ = rate_;
  if (cuts_ > kMostCuts) {
    futile_ = kMostFutile;
    trying_ = false;
    cuts_ = 0;
    set(first_cut_);
    return restart(when);
  }
  cut_rate_ = rate_;
  cut_loss_ = loss;
  // Rather too slow than still above a limit: what is left of the loss then tells whether there is one.
  const double chance = 2 * std::sqrt(loss * (1 - loss) / asked_);
  const double answered = (1 - loss - chance) / (1 - std::min(weather_, 0.9));
  set(rate_ * kBelow * std::max(answered, kLeastShare));
  restart(when);
}

}  // namespace pier

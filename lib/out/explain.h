// --explain: each step of a socket's life, in order, as a line on stderr and as a record.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "net/step.h"
#include "out/event_log.h"

namespace pier {

// A line is the call, padded to ten columns and a blank, and what happened, with the class of each port that
// plays a part; a record is {"type":"step","call":…,"fd":…,"text":…,"result":…} and the step's fields.
class Explain final : public StepSink {
 public:
  // `say` puts a line on stderr; `port_words` tells a port's class and flags ("registered, ephemeral-here").
  // `events` may be nullptr and is not owned.
  Explain(std::function<void(std::string_view)> say, std::function<std::string(std::uint16_t)> port_words,
          EventLog* events);
  void step(const Step& step) override;

 private:
  std::function<void(std::string_view)> say_;
  std::function<std::string(std::uint16_t)> port_words_;
  EventLog* events_;
};

// The record of a step, for a command that writes it elsewhere than to an EventLog.
[[nodiscard]] JsonObject step_record(const Step& step);

}  // namespace pier

// The steps of a socket's life, told as they happen. This is what --explain prints (out/explain).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pier {

// One step. `call` is the system call ("bind", "connect"), or "resolve" or "roles" for what is not one. A
// person reads `text` and then, unless it is "ok", a colon and `result`.
struct Step {
  std::string_view call;
  int fd = -1;         // the descriptor it was made on, or -1
  std::string text;    // the sentence a person reads: "127.0.0.1:8080 (registered), no privilege needed"
  std::string result;  // "ok", or what went wrong: "connection refused"
  std::vector<std::pair<std::string, std::string>>
      fields;  // further facts for the record: {"address", "[::1]:80"}
};

// Who wants to hear of steps. Passed as a pointer where nobody may want to.
class StepSink {
 public:
  virtual ~StepSink() = default;
  virtual void step(const Step& step) = 0;
};

}  // namespace pier

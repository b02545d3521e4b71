// How pier-classify-port answers: rows for people and pipes, or records.
#pragma once

#include <cstddef>
#include <vector>

#include "cli/app.h"
#include "out/text.h"
#include "out/writer.h"
#include "ports/classify.h"
#include "ports/common_use.h"

namespace pier::classify_port {

struct OutputRules {
  bool json = false;
  bool compress = false;    // a row may be a range
  bool common_use = false;  // say what is often found there too
};

// What a run came to, for its summary.
struct Tally {
  std::size_t inputs = 0;    // operands and lines
  std::size_t bad = 0;       // lines that were refused
  std::size_t rows = 0;      // printed
  std::size_t assigned = 0;  // of the rows, those with a service
};

class Output {
 public:
  Output(const App& app, OutputRules rules);

  void start();
  void port(const PortFacts& facts);
  // `complete` is false when a signal or a failed read cut the run short.
  void summary(bool complete, const Tally& tally);
  // The registry's own facts, as start, record and summary or as rows.
  void registry();

  [[nodiscard]] Writer& writer() { return writer_; }

 private:
  using Uses = std::vector<const CommonUse*>;
  void row(const PortFacts& facts, const Uses& uses);
  void record(const PortFacts& facts, const Uses& uses);
  void tell_more(const PortFacts& facts, const Uses& uses) const;

  const App& app_;
  OutputRules rules_;
  Writer writer_;
  TextRows rows_;
};

}  // namespace pier::classify_port

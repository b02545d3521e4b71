// A connection to a Telnet server (RFC 854) as a Stream of its data alone.
#pragma once

#include <memory>
#include <string>

#include "stream/stream.h"
#include "stream/telnet.h"

namespace pier {

class TelnetStream final : public Stream {
 public:
  explicit TelnetStream(std::unique_ptr<Stream> below) : below_(std::move(below)) {}

  [[nodiscard]] int read_fd() const override { return below_->read_fd(); }
  [[nodiscard]] int write_fd() const override { return below_->write_fd(); }
  // EPROTO for a server that asks for options without end and does not take the answers.
  [[nodiscard]] Io read(std::span<std::byte> into) override;
  [[nodiscard]] Io write(std::span<const std::byte> from) override;
  void finish_writing() override;
  void abort() override { below_->abort(); }
  [[nodiscard]] std::size_t unacknowledged() const override { return below_->unacknowledged() + out_.size(); }
  [[nodiscard]] int take_failure() override { return below_->take_failure(); }
  void discard_input() override { below_->discard_input(); }
  [[nodiscard]] bool has_buffered_input() const override { return below_->has_buffered_input(); }
  [[nodiscard]] bool has_buffered_output() const override {
    return !out_.empty() || below_->has_buffered_output();
  }
  [[nodiscard]] Io flush() override;
  [[nodiscard]] std::string error_text(int code) const override;

 private:
  std::unique_ptr<Stream> below_;
  TelnetFilter filter_;
  std::string out_;  // encoded, and not yet taken below
  bool finishing_ = false;
  bool finished_ = false;
};

}  // namespace pier

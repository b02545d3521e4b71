// A stream of which some bytes have been read already: they come first, then the rest.
#pragma once

#include <memory>
#include <string>

#include "stream/stream.h"

namespace pier {

class PrefixStream final : public Stream {
 public:
  PrefixStream(std::string prefix, std::unique_ptr<Stream> rest)
      : prefix_(std::move(prefix)), rest_(std::move(rest)) {}

  [[nodiscard]] int read_fd() const override { return rest_->read_fd(); }
  [[nodiscard]] int write_fd() const override { return rest_->write_fd(); }
  [[nodiscard]] Io read(std::span<std::byte> into) override;
  [[nodiscard]] Io write(std::span<const std::byte> from) override { return rest_->write(from); }
  void finish_writing() override { rest_->finish_writing(); }
  void abort() override { rest_->abort(); }
  [[nodiscard]] std::size_t unacknowledged() const override { return rest_->unacknowledged(); }
  [[nodiscard]] int take_failure() override { return rest_->take_failure(); }
  void discard_input() override;
  [[nodiscard]] RawEnd raw_output() const override { return rest_->raw_output(); }
  [[nodiscard]] bool has_buffered_input() const override {
    return taken_ < prefix_.size() || rest_->has_buffered_input();
  }
  [[nodiscard]] bool has_buffered_output() const override { return rest_->has_buffered_output(); }
  [[nodiscard]] Io flush() override { return rest_->flush(); }
  [[nodiscard]] std::string error_text(int code) const override { return rest_->error_text(code); }

 private:
  std::string prefix_;
  std::size_t taken_ = 0;
  std::unique_ptr<Stream> rest_;
};

}  // namespace pier

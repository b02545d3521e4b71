// The PROXY protocol's header on a socket (proxy/proxy_protocol.h).
#pragma once

#include "stream/preface.h"

namespace pier {

class ProxyPreface final : public Preface {
 public:
  [[nodiscard]] std::unique_ptr<Handshake> start(Loop& loop, int fd, const Deadline& deadline,
                                                 Done done) override;
};

}  // namespace pier

// What all TLS connections of a run share: credentials, whom to trust, and the protocol's settings.
//
// TLS 1.2 and 1.3, whatever OpenSSL's own configuration (config(5)) says of ciphers and security levels. No
// renegotiation, no session resumption. Certificates are checked by OpenSSL (RFC 5280, RFC 6125): names
// against subject alternative names only, a wildcard only for a whole label.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "stream/tls_fingerprint.h"

struct ssl_st;

namespace pier {

struct TlsFiles {
  std::string certificate;  // PEM, ours first; the chain may follow
  std::string key;          // PEM; may be the same file
};

struct TlsClientPlan {
  // How the server is known: by the first of these that is set.
  bool report_only = false;  // what does not verify is told of, and ends nothing: no data may follow
  bool insecure = false;     // anybody will do
  std::vector<TlsFingerprint> pins = {};  // exactly one of these certificates, whatever it says
  std::optional<std::string> ca = {};     // its chain ends in this PEM file, and its name is right
  // and where none is: its chain ends in the system's store (or SSL_CERT_FILE, SSL_CERT_DIR), likewise.
  std::optional<TlsFiles> own = {};  // for servers that want a certificate
  std::vector<std::string> alpn =
      {};  // protocols offered, in order of preference (RFC 7301): 1 to 255 bytes each
};

struct TlsServerPlan {
  std::optional<TlsFiles> own = {};  // a certificate is made for the run where there is none
  std::optional<std::string> client_ca =
      {};  // clients must have a certificate whose chain ends in this PEM file
};

class TlsContext {
 public:
  // Loads OpenSSL and reads every file. Errors: local for a file, usage for text that does not fit.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> client(const TlsClientPlan& plan);
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> server(const TlsServerPlan& plan);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  [[nodiscard]] bool is_server() const;
  // Of our own certificate; nullopt for a client without one.
  [[nodiscard]] std::optional<TlsFingerprint> own_fingerprint() const;

  struct State;
  [[nodiscard]] const State& state() const { return *state_; }

 private:
  TlsContext();
  std::unique_ptr<State> state_;
};

// "3.0.17": of the OpenSSL that is loaded, or would be. ErrorKind::local when there is none.
[[nodiscard]] Result<std::string> tls_library_version();

}  // namespace pier

#include "stream/tls_certificate.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "net/address.h"
#include "net/host_name.h"
#include "stream/tls_error.h"

namespace pier {
namespace {

Result<TlsPtr<BIO>> open_file(const std::string& option, const std::string& path) {
  errno = 0;
  TlsPtr<BIO> file(::BIO_new_file(path.c_str(), "r"));
  const int code = errno;
  ::ERR_clear_error();
  if (!file) return system_error(option, path, code != 0 ? code : EIO, ErrorKind::local);
  return file;
}

// Called for a key that is encrypted, which is all that has to be known of it.
int note_encrypted(char* /*buffer*/, int /*size*/, int /*writing*/, void* noted) {
  *static_cast<bool*>(noted) = true;
  return -1;
}

// Whether the last PEM read found no further block of its kind, which is no error by itself. For keys the
// decoders of OpenSSL 3 say it in their own way.
bool at_end_of_blocks() {
  const unsigned long code = ::ERR_peek_last_error();
  const int reason = ERR_GET_REASON(code);
  return (ERR_GET_LIB(code) == ERR_LIB_PEM && reason == PEM_R_NO_START_LINE) ||
         (ERR_GET_LIB(code) == ERR_LIB_OSSL_DECODER && reason == ERR_R_UNSUPPORTED);
}

Result<TlsPtr<EVP_PKEY>> read_key(const std::string& path) {
  auto file = open_file("--key", path);
  if (!file) return std::unexpected(file.error());
  bool encrypted = false;
  TlsPtr<EVP_PKEY> key(::PEM_read_bio_PrivateKey(file->get(), nullptr, note_encrypted, &encrypted));
  const bool missing = !key && at_end_of_blocks();
  const std::string why = take_tls_error();
  if (key) return key;
  if (encrypted)
    return fail(
        ErrorKind::local, "--key", path,
        fmt::format("the key is encrypted; 'openssl pkey -in {} -out FILE' makes one that is not", path));
  if (missing) return fail(ErrorKind::local, "--key", path, "there is no private key in PEM form in it");
  return fail(ErrorKind::local, "--key", path, "not a private key: " + why);
}

struct Extension {
  int nid;
  const char* value;
};

// What RFC 5280 wants of a server that is no authority.
constexpr Extension kExtensions[] = {{NID_basic_constraints, "critical,CA:FALSE"},
                                     {NID_key_usage, "critical,digitalSignature"},
                                     {NID_ext_key_usage, "serverAuth"}};

bool add_extension(X509* certificate, int nid, const char* value) {
  const TlsPtr<X509_EXTENSION> extension(::X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
  return extension && ::X509_add_ext(certificate, extension.get(), -1) == 1;
}

std::string own_names() {
  std::string names = "DNS:localhost,IP:127.0.0.1,IP:::1";
  char host[256] = {};
  // A name that is none, of which a host may have, has no place in a certificate.
  if (::gethostname(host, sizeof host - 1) == 0 && check_host(host) && !IpAddress::parse(host) &&
      std::string_view(host) != "localhost")
    names += std::string(",DNS:") + host;
  return names;
}

// A random positive serial number of 126 bits (RFC 5280, 4.1.2.2: at most 20 octets).
bool set_serial(X509* certificate) {
  BIGNUM* const number = ::BN_new();
  const bool made = number != nullptr && ::BN_rand(number, 126, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                    ::BN_to_ASN1_INTEGER(number, ::X509_get_serialNumber(certificate)) != nullptr;
  ::BN_free(number);
  return made;
}

TlsPtr<EVP_PKEY> make_key() {
  const TlsPtr<EVP_PKEY_CTX> maker(::EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (maker && ::EVP_PKEY_keygen_init(maker.get()) == 1 &&
      ::EVP_PKEY_CTX_set_group_name(maker.get(), "P-256") == 1)
    ::EVP_PKEY_generate(maker.get(), &key);
  return TlsPtr<EVP_PKEY>(key);
}

TlsPtr<X509> make_certificate(EVP_PKEY* key) {
  // A clock that is behind ours must not find it of tomorrow.
  constexpr long kHour = 3600;
  constexpr long kYear = 365 * 24 * kHour;
  TlsPtr<X509> made(::X509_new());
  if (!made) return nullptr;
  X509* const certificate = made.get();
  X509_NAME* const name = ::X509_get_subject_name(certificate);
  const auto* const common = reinterpret_cast<const unsigned char*>("pier-listen");
  bool good = ::X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
              ::X509_gmtime_adj(::X509_getm_notBefore(certificate), -kHour) != nullptr &&
              ::X509_gmtime_adj(::X509_getm_notAfter(certificate), kYear) != nullptr &&
              ::X509_set_pubkey(certificate, key) == 1 &&
              ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, common, -1, -1, 0) == 1 &&
              ::X509_set_issuer_name(certificate, name) == 1;
  for (const Extension& one : kExtensions) good = good && add_extension(certificate, one.nid, one.value);
  good = good && add_extension(certificate, NID_subject_alt_name, own_names().c_str()) &&
         ::X509_sign(certificate, key, ::EVP_sha256()) > 0;
  return good ? std::move(made) : nullptr;
}

std::string name_text(const X509_NAME* name) {
  const TlsPtr<BIO> memory(::BIO_new(::BIO_s_mem()));
  // RFC 2253 with UTF-8 left as it is; what is not printable is escaped.
  ::X509_NAME_print_ex(memory.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "(no subject)";
}

std::string name_entry(const GENERAL_NAME* name) {
  int kind = 0;
  const auto* const value = static_cast<const ASN1_STRING*>(::GENERAL_NAME_get0_value(name, &kind));
  if (value == nullptr || (kind != GEN_DNS && kind != GEN_IPADD)) return {};
  const std::string_view bytes(reinterpret_cast<const char*>(::ASN1_STRING_get0_data(value)),
                               static_cast<std::size_t>(::ASN1_STRING_length(value)));
  if (kind == GEN_DNS) return std::string(bytes);
  char text[INET6_ADDRSTRLEN];
  const int family = bytes.size() == sizeof(in_addr) ? AF_INET : AF_INET6;
  if (family == AF_INET6 && bytes.size() != sizeof(in6_addr)) return {};
  return ::inet_ntop(family, bytes.data(), text, sizeof text);
}

}  // namespace

Result<std::vector<TlsPtr<X509>>> read_certificates(const std::string& option, const std::string& path) {
  auto file = open_file(option, path);
  if (!file) return std::unexpected(file.error());
  std::vector<TlsPtr<X509>> found;
  while (TlsPtr<X509> one{::PEM_read_bio_X509(file->get(), nullptr, nullptr, nullptr)})
    found.push_back(std::move(one));
  const bool ended = at_end_of_blocks();
  const std::string why = take_tls_error();
  if (!ended) return fail(ErrorKind::local, option, path, "not a certificate: " + why);
  if (found.empty()) return fail(ErrorKind::local, option, path, "there is no certificate in PEM form in it");
  return found;
}

Result<TlsIdentity> read_identity(const std::string& certificate_path, const std::string& key_path) {
  auto chain = read_certificates("--cert", certificate_path);
  if (!chain) return std::unexpected(chain.error());
  auto key = read_key(key_path);
  if (!key) return std::unexpected(key.error());
  if (::X509_check_private_key(chain->front().get(), key->get()) != 1) {
    (void)take_tls_error();
    return fail(ErrorKind::local, "--key", key_path,
                "the key does not belong to the first certificate in " + certificate_path);
  }
  return TlsIdentity{std::move(*chain), std::move(*key)};
}

Result<TlsIdentity> make_identity() {
  TlsIdentity made;
  made.key = make_key();
  TlsPtr<X509> certificate = made.key ? make_certificate(made.key.get()) : nullptr;
  if (!certificate)
    return fail(ErrorKind::local, "tls", "", "no certificate could be made: " + take_tls_error());
  made.chain.push_back(std::move(certificate));
  return made;
}

std::string subject_of(const X509* certificate) {
  return name_text(::X509_get_subject_name(certificate));
}

std::string issuer_of(const X509* certificate) {
  return name_text(::X509_get_issuer_name(certificate));
}

std::vector<std::string> names_of(const X509* certificate) {
  std::vector<std::string> found;
  auto* const list =
      static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(list); ++i)
    if (std::string name = name_entry(sk_GENERAL_NAME_value(list, i)); !name.empty())
      found.push_back(std::move(name));
  ::GENERAL_NAMES_free(list);
  return found;
}

std::string time_text(const ASN1_TIME* time) {
  std::tm when{};
  if (::ASN1_TIME_to_tm(time, &when) != 1) return "(unreadable)";
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &when)};
}

}  // namespace pier

// Every function of OpenSSL that lib/stream/tls* calls (tls_functions.inc) is defined here, under its own
// name, as a jump into the library that load_tls_library() has loaded.
//
// Why not link it: loading and relocating libssl and libcrypto costs every start 0.7 ms of processor time,
// which is half of what a whole `pier-connect --check` takes. Linking them statically costs 0.3 ms, 4 MB a
// program, and OpenSSL's security updates. Loaded on demand, only who speaks TLS pays.
#include "stream/tls_library.h"

#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstddef>
#include <string_view>
#include <tuple>

#include "stream/tls_context.h"

namespace pier {
namespace {

// Each row of the list becomes an index, a name and, below, a function.
#define PIER_TLS_0(name) PIER_TLS_ROW(name)
#define PIER_TLS_1(name) PIER_TLS_ROW(name)
#define PIER_TLS_2(name) PIER_TLS_ROW(name)
#define PIER_TLS_3(name) PIER_TLS_ROW(name)
#define PIER_TLS_4(name) PIER_TLS_ROW(name)
#define PIER_TLS_7(name) PIER_TLS_ROW(name)

enum Function : std::size_t {
#define PIER_TLS_ROW(name) k_##name,
#include "stream/tls_functions.inc"
#undef PIER_TLS_ROW
  kFunctionCount
};

constexpr const char* kNames[] = {
#define PIER_TLS_ROW(name) #name,
#include "stream/tls_functions.inc"
#undef PIER_TLS_ROW
};

#undef PIER_TLS_0
#undef PIER_TLS_1
#undef PIER_TLS_2
#undef PIER_TLS_3
#undef PIER_TLS_4
#undef PIER_TLS_7

// The one table of a process, as the library itself is one; filled once by load().
void* g_functions[kFunctionCount];

template <class F>
struct Signature;
template <class R, class... A>
struct Signature<R(A...)> {
  using Result = R;
  template <std::size_t I>
  using Argument = std::tuple_element_t<I, std::tuple<A...>>;
};

template <class F, class... A>
auto jump(Function function, A... arguments) {
  return reinterpret_cast<F*>(g_functions[function])(arguments...);
}

}  // namespace
}  // namespace pier

#define PIER_TLS_IS(name) pier::Signature<decltype(::name)>::Result name
#define PIER_TLS_GETS(name, i) pier::Signature<decltype(::name)>::Argument<i>
#define PIER_TLS_JUMP(name, ...) pier::jump<decltype(::name)>(pier::k_##name __VA_OPT__(, ) __VA_ARGS__)

#define PIER_TLS_0(name)        \
  PIER_TLS_IS(name)() {         \
    return PIER_TLS_JUMP(name); \
  }
#define PIER_TLS_1(name)                        \
  PIER_TLS_IS(name)(PIER_TLS_GETS(name, 0) a) { \
    return PIER_TLS_JUMP(name, a);              \
  }
#define PIER_TLS_2(name)                                                  \
  PIER_TLS_IS(name)(PIER_TLS_GETS(name, 0) a, PIER_TLS_GETS(name, 1) b) { \
    return PIER_TLS_JUMP(name, a, b);                                     \
  }
#define PIER_TLS_3(name)                                                                            \
  PIER_TLS_IS(name)(PIER_TLS_GETS(name, 0) a, PIER_TLS_GETS(name, 1) b, PIER_TLS_GETS(name, 2) c) { \
    return PIER_TLS_JUMP(name, a, b, c);                                                            \
  }
#define PIER_TLS_4(name)                                                                          \
  PIER_TLS_IS(name)(PIER_TLS_GETS(name, 0) a, PIER_TLS_GETS(name, 1) b, PIER_TLS_GETS(name, 2) c, \
                    PIER_TLS_GETS(name, 3) d) {                                                   \
    return PIER_TLS_JUMP(name, a, b, c, d);                                                       \
  }
#define PIER_TLS_7(name)                                                                          \
  PIER_TLS_IS(name)(PIER_TLS_GETS(name, 0) a, PIER_TLS_GETS(name, 1) b, PIER_TLS_GETS(name, 2) c, \
                    PIER_TLS_GETS(name, 3) d, PIER_TLS_GETS(name, 4) e, PIER_TLS_GETS(name, 5) f, \
                    PIER_TLS_GETS(name, 6) g) {                                                   \
    return PIER_TLS_JUMP(name, a, b, c, d, e, f, g);                                              \
  }

extern "C" {
#include "stream/tls_functions.inc"
}

namespace pier {
namespace {

#define PIER_TEXT_OF(x) #x
#define PIER_TEXT(x) PIER_TEXT_OF(x)
constexpr const char* kLibrary = "libssl.so." PIER_TEXT(OPENSSL_SHLIB_VERSION);

Result<void> load() {
  // Never unloaded: OpenSSL leaves callbacks behind that run at the process's end. Lazily bound: of its
  // thousands of references few are used.
  void* const library = ::dlopen(kLibrary, RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr)
    return fail(ErrorKind::local, "tls", kLibrary,
                std::string("TLS is OpenSSL's, which can't be loaded: ") + ::dlerror());
  for (std::size_t i = 0; i < kFunctionCount; ++i) {
    g_functions[i] = ::dlsym(library, kNames[i]);
    if (g_functions[i] == nullptr)
      return fail(ErrorKind::local, "tls", kLibrary,
                  std::string("this OpenSSL is too old: it has no ") + kNames[i]);
  }
  return {};
}

}  // namespace

Result<void> load_tls_library() {
  static const Result<void> loaded = load();
  return loaded;
}

Result<std::string> tls_library_version() {
  if (const auto loaded = load_tls_library(); !loaded) return std::unexpected(loaded.error());
  return std::string(::OpenSSL_version(OPENSSL_VERSION_STRING));
}

}  // namespace pier

#include "cmd/connect/show_cert.h"

#include <unistd.h>

#include "out/ndjson.h"
#include "out/text.h"
#include "scan/reach.h"

namespace pier::client {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

bool is_verified(const TlsReport& report) {
  return report.verified == "chain" || report.verified == "pin";
}

// Three columns: what it is of ("tls", or a certificate's place in the chain), the fact's name, the fact.
void print_rows(TextRows& rows, const TlsReport& report) {
  rows.row({"tls", "peer", report.peer});
  rows.row({"tls", "protocol", report.version});
  rows.row({"tls", "cipher", report.cipher});
  rows.row({"tls", "alpn", report.alpn});
  rows.row({"tls", "verified", is_verified(report) ? "yes, by its " + report.verified : "no: " + report.why});
  for (std::size_t i = 0; i < report.chain.size(); ++i) {
    const TlsCertificate& one = report.chain[i];
    const std::string place = std::to_string(i);
    rows.row({place, "subject", one.subject});
    rows.row({place, "issuer", one.issuer});
    rows.row({place, "names", joined(one.names)});
    rows.row({place, "not-before", one.not_before});
    rows.row({place, "not-after", one.not_after});
    rows.row({place, "key", one.key});
    rows.row({place, "fingerprint", one.fingerprint});
  }
}

void print_records(Writer& out, const TlsReport& report, int code) {
  out.line(JsonObject("start").number("schema", 1).str());
  JsonObject tls("tls");
  tls.text("peer", report.peer).text("protocol", report.version).text("cipher", report.cipher);
  report.alpn.empty() ? tls.null("alpn") : tls.text("alpn", report.alpn);
  tls.boolean("verified", is_verified(report));
  report.why.empty() ? tls.null("why") : tls.text("why", report.why);
  out.line(tls.str());
  for (std::size_t i = 0; i < report.chain.size(); ++i) {
    const TlsCertificate& one = report.chain[i];
    out.line(JsonObject("certificate")
                 .number("depth", i)
                 .text("subject", one.subject)
                 .text("issuer", one.issuer)
                 .texts("names", one.names)
                 .text("not_before", one.not_before)
                 .text("not_after", one.not_after)
                 .text("key", one.key)
                 .text("fingerprint", one.fingerprint)
                 .str());
  }
  out.line(JsonObject("summary").boolean("complete", true).number("exit", code).str());
}

}  // namespace

int show_cert(Run& run, ReachPlan plan, const TlsReport& report) {
  std::optional<Error> error;
  {
    const Reach reach(run.loop, std::move(plan), now(), [&](CheckResult result, std::optional<Reached>) {
      error = std::move(result.error);
      run.loop.stop();
    });
    run.loop.run();
  }
  if (run.outside.ended()) return run.end_from_outside();
  if (error) return run.news.end(run.app, *error);
  const int code = is_verified(report) ? kExitYes : kExitNo;
  Writer out(STDOUT_FILENO);
  if (run.app.args.has("json")) {
    print_records(out, report, code);
  } else {
    TextRows rows(out, run.app.out);
    print_rows(rows, report);
  }
  return run.news.end_with(run.app.finish(out, code));
}

}  // namespace pier::client

#include "orchestrator/commands/origin.h"

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "experiments/error.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/version.h"

namespace occam {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file || text.str().empty()) throw Error(path + ": cannot read this file");
  return text.str();
}

Provenance provenance_of(const SweepResults& sweep, const std::string& command,
                         const std::vector<std::string>& databases,
                         const std::vector<std::string>& query) {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  gmtime_r(&now, &utc);
  char date[sizeof "2026-01-01T00:00:00Z"];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return {version(),
          revision(),
          digest_of(sweep.text),
          digest_of(sweep),
          databases,
          query,
          date,
          command,
          "",
          ""};
}

void write_stamped(const std::string& path, const std::string& text, const Provenance& provenance) {
  const StampStyle style = stamp_style(path);
  if (style == StampStyle::sidecar) {
    Provenance beside = provenance;
    beside.content = digest_of(text);
    write_output(path, text);
    write_output(path + ".provenance.json", stamp_text(beside, style));
  } else if (style == StampStyle::latex) {
    write_output(path, stamp_text(provenance, style) + text);
  } else {
    write_output(path, text + stamp_text(provenance, style));
  }
}

StampedFile read_stamped(const std::string& path) {
  const StampStyle style = stamp_style(path);
  const std::string text = read_file(path);
  const std::string sidecar = path + ".provenance.json";
  const std::string silent =
      ": says nothing of its origin; a file that `occam table -o` wrote does";
  if (style == StampStyle::sidecar && !std::filesystem::exists(sidecar))
    throw Error(path + silent + ", in " + sidecar);
  try {
    const auto stamp = read_stamp(style == StampStyle::sidecar ? read_file(sidecar) : text, style);
    if (stamp) return {without_stamp(text, style), *stamp};
  } catch (const Error& problem) {
    throw Error(path + ": " + problem.what());
  }
  throw Error(path + silent);
}

}  // namespace occam

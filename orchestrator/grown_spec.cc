#include "orchestrator/grown_spec.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "experiments/trial.h"
#include "images/load.h"
#include "results/sql_text.h"

namespace occam {
namespace {

const std::string kMark = "\n// grown by occam add, of the spec with digest ";

std::string mark_of(const std::string& text) {
  return kMark + id_text(XXH3_64bits(text.data(), text.size()));
}

std::string stored_text(const Store& store, const std::string& sweep) {
  const auto texts = store.column("SELECT text FROM sweep WHERE name = " + sql_text(sweep));
  return texts.empty() ? "" : texts.front();
}

}  // namespace

std::string grown_text(const Store& store, const Spec& spec) {
  const std::string stored = stored_text(store, spec.name);
  if (stored.empty()) return spec.text;
  const std::size_t marks = std::min(stored.find(kMark), stored.size());
  const std::string own = stored.substr(0, marks);
  return own == spec.text ? stored : spec.text + stored.substr(marks) + mark_of(own);
}

std::string grown_from(const Store& store, const Spec& spec) {
  const std::string stored = stored_text(store, spec.name);
  return stored.find(mark_of(spec.text)) == std::string::npos ? "" : stored;
}

std::string take_grown(const Store& store, const std::string& file, const std::string& data,
                       Spec& spec, Expansion& expansion) {
  const std::string grown = grown_from(store, spec);
  if (grown.empty()) return "";
  const std::size_t before = expansion.trials.size();
  spec = parse_spec(grown, file);
  expansion = expand_with_images(spec, data);
  return fmt::format(
      "{}: goes on with what occam add has made of it, {} trials where it names {}; occam cancel "
      "takes trials out\n",
      file, expansion.trials.size(), before);
}

}  // namespace occam

#include "slurm/site.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "experiments/error.h"
#include "experiments/json_document.h"

namespace occam {
namespace {

std::vector<std::string> texts(const JsonNode& node, const std::string& key) {
  std::vector<std::string> texts;
  if (const JsonNode* list = node.find(key)) {
    list->require(JsonNode::Kind::array, "a list");
    for (const JsonNode& item : list->items) texts.push_back(item.text("a text"));
  }
  return texts;
}

}  // namespace

std::string site_file() {
  const char* configuration = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  const std::filesystem::path folder = configuration && *configuration
                                           ? std::filesystem::path(configuration)
                                           : std::filesystem::path(home ? home : "/") / ".config";
  return folder / "occam" / "slurm.json";
}

Site read_site(const std::string& text, const std::string& file) {
  const JsonNode node = parse_document(text, file);
  node.require(JsonNode::Kind::object, "an object");
  node.allow_only({"modules", "setup", "sbatch", "launcher"});
  Site site;
  for (const std::string& module : texts(node, "modules"))
    site.setup.push_back("module load " + shell_word(module));
  for (const std::string& line : texts(node, "setup")) site.setup.push_back(line);
  site.sbatch = texts(node, "sbatch");
  if (const JsonNode* launcher = node.find("launcher")) {
    site.launcher = launcher->text("srun or mpirun");
    if (site.launcher != "srun" && site.launcher != "mpirun")
      launcher->fail("'" + site.launcher + "' is none of: srun, mpirun");
  }
  return site;
}

Site read_site() {
  std::ifstream file(site_file());
  if (!file) return {};
  std::ostringstream text;
  text << file.rdbuf();
  return read_site(text.str(), site_file());
}

}  // namespace occam

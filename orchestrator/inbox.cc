#include "orchestrator/inbox.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "experiments/error.h"
#include "results/store_lock.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path folder_of(const std::string& database) { return database + ".inbox"; }

// A reader sees the whole of it or nothing.
void put(const fs::path& path, const json& content) {
  const fs::path partial = fs::path(path) += ".partial";
  std::ofstream file(partial);
  file << content.dump() << "\n";
  file.close();
  std::error_code problem;
  if (file) fs::rename(partial, path, problem);
  if (!file || problem) throw Error(path.string() + ": cannot be written; are you its owner?");
}

std::string content_of(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

Inbox::Inbox(const std::string& database) : folder_(folder_of(database)) {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
  fs::create_directory(folder_, ignored);
}

Inbox::~Inbox() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::vector<Inbox::Request> Inbox::take() const {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_, ignored))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Request> requests;
  for (const fs::path& file : files) {
    Request request{file.stem(), json::parse(content_of(file), nullptr, false)};
    fs::remove(file, ignored);
    if (request.body.is_object())
      requests.push_back(std::move(request));
    else
      answer(request, false, "the request is not JSON");
  }
  return requests;
}

void Inbox::answer(const Request& request, bool granted, const std::string& text) const {
  try {
    put(folder_ / (request.name + ".reply"), {{"granted", granted}, {"text", text}});
  } catch (const Error&) {
    // Whoever asked has its own patience.
  }
}

std::string ask_coordinator(const std::string& database, const json& body,
                            std::chrono::duration<double> patience) {
  const auto began = std::chrono::steady_clock::now();
  const std::string name =
      std::to_string(std::chrono::system_clock::now().time_since_epoch().count()) + "-" +
      std::to_string(getpid());
  const fs::path reply = folder_of(database) / (name + ".reply");
  put(folder_of(database) / (name + ".json"), body);
  while (!fs::exists(reply)) {
    if (!is_written(database)) throw Error(database + ": its sweep has just ended; say it again");
    if (std::chrono::steady_clock::now() - began > patience)
      throw Error(database + ": its coordinator does not answer; is it stopped?");
    poll(nullptr, 0, 20);
  }
  const json answer = json::parse(content_of(reply));
  std::error_code ignored;
  fs::remove(reply, ignored);
  if (!answer.at("granted").get<bool>()) throw Error(answer.at("text").get<std::string>());
  return answer.at("text");
}

}  // namespace occam

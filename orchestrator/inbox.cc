#include "orchestrator/inbox.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "experiments/error.h"
#include "orchestrator/signals.h"
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
  if (file && !problem) return;
  // A sweep that ends takes its folder away before it gives its lock back.
  if (!fs::exists(path.parent_path()))
    throw Error(path.parent_path().string() +
                ": the sweep is just ending; say it again in a moment");
  throw Error(path.string() + ": cannot be written; are you its owner?");
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
    const fs::path taken = fs::path(file).replace_extension(".taken");
    std::error_code withdrawn;
    fs::rename(file, taken, withdrawn);
    if (withdrawn) continue;
    Request request{file.stem(), json::parse(content_of(taken), nullptr, false)};
    fs::remove(taken, ignored);
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

namespace {

// "process 4711 on node-1, which is stopped: kill -CONT 4711 lets it go on"
std::string silent_coordinator(const std::string& database) {
  const Writer writer = writer_of(database);
  const std::string process = std::to_string(writer.process);
  std::string about;
  std::getline(std::ifstream("/proc/" + process + "/stat"), about);
  const std::size_t name_end = about.rfind(')');  // "4711 (occam) T …"
  if (writer.process == 0 || name_end == std::string::npos || about.substr(name_end, 3) != ") T")
    return writer.name;
  return writer.name + ", which is stopped: kill -CONT " + process + " lets it go on";
}

}  // namespace

std::string ask_coordinator(const std::string& database, const json& body, std::ostream& words,
                            std::chrono::duration<double> patience) {
  constexpr std::chrono::seconds kTellAfter{2};
  const auto began = std::chrono::steady_clock::now();
  const std::string name =
      std::to_string(std::chrono::system_clock::now().time_since_epoch().count()) + "-" +
      std::to_string(getpid());
  const fs::path reply = folder_of(database) / (name + ".reply");
  const fs::path request = folder_of(database) / (name + ".json");
  std::error_code ignored;
  int signal = 0;
  {
    Signals signals;
    put(request, body);
    bool told = false;
    while (!fs::exists(reply)) {
      const auto waited = std::chrono::steady_clock::now() - began;
      if (!is_written(database)) {
        fs::remove(request, ignored);
        throw Error(database + ": its sweep has just ended; say it again");
      }
      if (!told && waited > kTellAfter) {
        told = true;
        words << "waiting for " << silent_coordinator(database) << " (Ctrl-C withdraws the request)"
              << std::endl;
      }
      if (waited > patience) {
        const std::string who = database + ": its coordinator, " + silent_coordinator(database);
        if (fs::remove(request, ignored))
          throw Error(who + ", does not answer: the request is withdrawn, and nothing was changed");
        throw Error(who +
                    ", has taken the request and does not say what came of it; occam status "
                    "tells");
      }
      pollfd stop{signals.descriptor(), POLLIN, 0};
      poll(&stop, 1, 20);
      signal = signals.take();
      if (signal == 0) continue;
      if (fs::remove(request, ignored)) break;
      signal = 0;  // it is being granted
    }
  }
  if (signal != 0) raise(signal);  // and this process ends as it would have without a request
  const json answer = json::parse(content_of(reply));
  fs::remove(reply, ignored);
  if (!answer.at("granted").get<bool>()) throw Error(answer.at("text").get<std::string>());
  return answer.at("text");
}

}  // namespace occam

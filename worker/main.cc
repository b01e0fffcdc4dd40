#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/util/Logging.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>
#include <memory>

#include "experiments/error.h"
#include "experiments/received_json.h"
#include "generated/revision.h"
#include "images/load.h"
#include "worker/device.h"
#include "worker/model/precision.h"
#include "worker/run_trial.h"
#include "worker/serve.h"
#include "worker/train/record.h"

#ifdef OCCAM_CUDA
#include <cuda_runtime_api.h>
#endif

namespace occam {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

constexpr const char* kUsage = R"(occam-worker: trains and scores the trials that it is given

  occam-worker [OPTIONS]                 messages as JSON lines on stdin and stdout (occam run starts it so)
  occam-worker train CONFIG.json         one trial alone; its outcome as JSON on stdout
  occam-worker record CONFIG.json        the same training in float64, every step written down, for bench/peer.py
  occam-worker check DATASET...          can this machine run such trials? devices and data as JSON

Examples:
  occam expand spec.json | head -n 1 > trial.json && occam-worker train trial.json
  occam-worker check fashion-mnist --device cpu

)";

std::vector<std::string> gpus() {
  std::vector<std::string> names;
#ifdef OCCAM_CUDA
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess)
    for (int i = 0; i < count; ++i)
      names.push_back(device_name(torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(i))));
#endif
  return names;
}

torch::Device parse_device(const std::string& text) {
  if (text == "cpu") return torch::kCPU;
  if (text == "cuda" || text.starts_with("cuda:")) {
#ifdef OCCAM_CUDA
    const auto found = static_cast<int>(gpus().size());
    if (found == 0) throw Error("--device " + text + ": no GPU is visible here; try --device cpu");
    const int index = text == "cuda" ? 0 : std::atoi(text.c_str() + 5);
    if (index < 0 || index >= found)
      throw Error("--device " + text +
                  ": the GPUs here are cuda:0 to cuda:" + std::to_string(found - 1));
    return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
#else
    throw Error("--device " + text +
                ": this occam-worker was built without CUDA; build the preset 'cuda', or use "
                "--device cpu");
#endif
  }
  throw UsageError("--device '" + text + "' is none of: cpu, cuda, cuda:0, cuda:1, …");
}

// Of "cifar10" or, of one's own images, "folder:screws".
std::string digest_of(const std::string& name, const std::filesystem::path& data) {
  const std::size_t colon = name.find(':');
  SourceImages source;
  if (colon != std::string::npos) source.name = name.substr(colon + 1);
  return load_images(from_name<Dataset>(name.substr(0, colon)), source, data, true).digest;
}

int check(const std::vector<std::string>& datasets, const std::string& device,
          const std::filesystem::path& data) {
  json found{{"device", device}, {"gpus", gpus()}, {"data", json::object()}};
  parse_device(device);
  for (const std::string& name : datasets) found["data"][name] = digest_of(name, data);
  std::cout << found.dump() << "\n";
  return 0;
}

// A trial and the whole text of its file: a line of occam expand, or its config alone.
std::pair<Trial, json> read_trial(const std::string& path, const std::filesystem::path& data) {
  std::ifstream file(path);
  if (!file) throw UsageError(path + ": cannot read this trial");
  json text;
  try {
    text = json::parse(file);
  } catch (const json::exception& problem) {
    throw UsageError(path + ": " + json_problem(problem));
  }
  Trial trial = canonical(trial_from_json(text.value("config", text)));
  if (is_read_first(trial.dataset)) trial.source = source_finder(data)(trial);
  check(trial);
  return {trial, text};
}

// $XDG_CACHE_HOME/occam, or ~/.cache/occam.
std::filesystem::path cache_folder() {
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg && *xdg)
    return std::filesystem::path(xdg) / "occam";
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home ? home : ".") / ".cache" / "occam";
}

int train_one(const std::string& path, const ServeOptions& options,
              const std::filesystem::path& work, const std::string& keep) {
  const auto [trial, text] = read_trial(path, options.data);
  Start start;
  start.config = trial;
  start.trial = id_of(start.config);
  start.lease = 1;
  start.resumable = {1};
  start.folder = work / start.trial;
  if (!keep.empty()) start.keep = {keep, true, true, true, false};
  if (text.contains("evaluations"))
    for (const json& request : text.at("evaluations"))
      start.evaluations.push_back(request_from_json(request));
  else
    start.evaluations = applicable(default_evaluations(), start.config);

  at::set_num_threads(options.threads);
  ImageCache images(options.data);
  Pulse pulse;
  RunOptions run;
  auto bench = std::make_unique<Bench>(options.device);
  run.checkpoint_every = options.checkpoint_every;
  run.build = OCCAM_NUMERIC_DIGEST;
  run.on_progress = [](const Progress& progress) { std::cerr << to_line(progress) << "\n"; };
  run.on_problem = [](const std::string& problem) { std::cerr << problem << "\n"; };
  const auto brought = run_trial(start, images, bench, pulse, run);
  const auto& outcome = std::get<Outcome>(brought);
  std::cout << to_line(outcome) << "\n";
  return outcome.status == OutcomeStatus::failed ? 1 : 0;
}

int record(const std::string& path, const std::string& data, const std::string& keep) {
  if (keep.empty()) throw UsageError("occam-worker record needs --keep, the folder to write to");
  const Trial trial = read_trial(path, data).first;
  const auto images = load_images(trial.dataset, trial.source, data);
  record_training(trial, one_class(images, trial).train, keep);
  return 0;
}

int main_or_throw(int count, char** words) {
  ServeOptions options;
  std::string device, data, work, keep;
  std::vector<std::string> positional;
  po::options_description visible("Options");
  visible.add_options()("help,h", "this text")("version", "version and revision")(
      "device", po::value(&device)->default_value("cpu"), "cpu, cuda or cuda:INDEX")(
      "slots", po::value(&options.slots)->default_value(1),
      "trials at once; on a GPU 0 is as many as it trains quickest")(
      "parts", po::value(&options.parts)->default_value(options.parts),
      "into how many parts a GPU is divided among its trials, at most; 1 leaves it whole")(
      "threads", po::value(&options.threads)->default_value(1),
      "threads of a CPU trial; more change the last bits of its numbers")(
      "data", po::value(&data)->default_value(""), "folder of the data sets")(
      "checkpoint-every", po::value(&options.checkpoint_every)->default_value(300), "seconds")(
      "deterministic", po::bool_switch(&options.deterministic),
      "on a GPU: the same bits again, small trials about a fifth slower; CPU trials always "
      "give them")("work", po::value(&work)->default_value("occam-worker.work"),
                   "train: folder for checkpoints")(
      "keep", po::value(&keep)->default_value(""),
      "train: folder for the features, weights and scores");
  po::options_description all;
  all.add(visible).add_options()("positional", po::value(&positional));
  po::positional_options_description order;
  order.add("positional", -1);
  po::variables_map given;
  try {
    po::store(po::command_line_parser(count, words).options(all).positional(order).run(), given);
    po::notify(given);
  } catch (const po::error& problem) {
    throw UsageError(std::string(problem.what()) + "; see occam-worker --help");
  }
  if (given.count("help")) {
    std::cout << kUsage << visible;
    return 0;
  }
  if (given.count("version")) {
    std::cout << "occam-worker " OCCAM_VERSION " (" OCCAM_REVISION ")\n";
    return 0;
  }
  options.data = data;
  if (options.slots < 0) throw UsageError("--slots must be at least 1, or 0 to measure");
  if (options.parts < 1) throw UsageError("--parts must be at least 1");
  if (options.threads < 1) throw UsageError("--threads must be at least 1");
  at::set_num_threads(options.threads);
  if (options.deterministic) set_deterministic();
  const std::string command = positional.empty() ? "" : positional.front();
  if (command == "check") return check({positional.begin() + 1, positional.end()}, device, data);
  options.device = parse_device(device);
  if (options.device.is_cpu()) options.slots = std::max(1, options.slots);
  options.cache = cache_folder();
  if (command == "train" && positional.size() == 2)
    return train_one(positional[1], options, work, keep);
  if (command == "record" && positional.size() == 2) return record(positional[1], data, keep);
  if (!command.empty())
    throw UsageError("'" + joined(positional, " ") + "' is no command of occam-worker; see --help");

  // Messages have a descriptor of their own, so that no library's print can end up among them.
  const int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  signal(SIGPIPE, SIG_IGN);
  return serve(STDIN_FILENO, out, options);
}

}  // namespace
}  // namespace occam

int main(int count, char** words) {
  // Activations are freed and asked for again every step: keep their pages, for all threads in one
  // heap (a third of a CPU step went into the kernel's page faults).
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_ARENA_MAX, 1);
  // c10d says in many lines what a gang's members say in one.
  FLAGS_caffe2_log_level = c10::GLOG_ERROR;
  try {
    return occam::main_or_throw(count, words);
  } catch (const occam::UsageError& problem) {
    std::cerr << "occam-worker: " << problem.what() << "\n";
    return 2;
  } catch (const std::exception& problem) {
    std::cerr << "occam-worker: " << problem.what() << "\n";
    return 1;
  }
}

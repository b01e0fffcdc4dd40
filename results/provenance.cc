#include "results/provenance.h"

#include <xxhash.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "experiments/number.h"
#include "experiments/received_json.h"

namespace occam {
namespace {

constexpr std::string_view kLatexBegin = "% occam: ", kMarkdownBegin = "<!-- occam: ",
                           kMarkdownEnd = " -->";

nlohmann::ordered_json to_json(const Provenance& one) {
  nlohmann::ordered_json written{{"version", one.version},     {"revision", one.revision},
                                 {"spec", one.spec},           {"results", one.results},
                                 {"databases", one.databases}, {"command", one.command},
                                 {"query", one.query},         {"date", one.date}};
  if (!one.drawing.empty()) written["drawing"] = one.drawing;
  if (!one.content.empty()) written["content"] = one.content;
  return written;
}

Provenance from_json(const std::string& text) {
  try {
    const auto written = nlohmann::json::parse(text);
    return {written.at("version"),       written.at("revision"),  written.at("spec"),
            written.at("results"),       written.at("databases"), written.at("query"),
            written.at("date"),          written.at("command"),   written.value("drawing", ""),
            written.value("content", "")};
  } catch (const nlohmann::json::exception& problem) {
    throw Error("its stamp cannot be read: " + json_problem(problem));
  }
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::stringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string_view beginning(StampStyle style) {
  return style == StampStyle::latex ? kLatexBegin : kMarkdownBegin;
}

}  // namespace

std::string digest_of(const std::string& text) {
  return hex(XXH3_64bits(text.data(), text.size()));
}

std::string digest_of(const SweepResults& sweep) {
  std::vector<std::string> rows;
  for (const Result& one : sweep.results)
    rows.push_back(one.trial_id + " " + to_string(one.request.features) + " " +
                   to_string(one.request.classifier) + " " + parameters_text(one.request) + " " +
                   to_string(one.request.split) + " " +
                   (one.evaluation ? shortest(one.evaluation->auroc) + " " +
                                         shortest(one.evaluation->average_precision) + " " +
                                         shortest(one.evaluation->fpr95)
                                   : to_string(one.status)) +
                   " " + one.collapsed + " " + one.build + " " + one.data + "\n");
  for (const Missing& one : sweep.missing)
    for (const EvaluationRequest& request : one.evaluations)
      rows.push_back(one.trial_id + " " + to_string(request.features) + " " +
                     to_string(request.classifier) + " " + parameters_text(request) + " " +
                     to_string(request.split) + " missing\n");
  std::sort(rows.begin(), rows.end());
  return digest_of(joined(rows, ""));
}

StampStyle stamp_style(const std::string& path) {
  if (path.ends_with(".tex")) return StampStyle::latex;
  return path.ends_with(".md") ? StampStyle::markdown : StampStyle::sidecar;
}

std::string stamp_text(const Provenance& provenance, StampStyle style) {
  if (style == StampStyle::sidecar) return to_json(provenance).dump(2) + "\n";
  std::string line;
  // A word that would end the comment does not.
  for (const char one : to_json(provenance).dump())
    line += one == '>' ? "\\u003e" : std::string(1, one);
  return std::string(beginning(style)) + line +
         std::string(style == StampStyle::markdown ? kMarkdownEnd : "") + "\n";
}

std::optional<Provenance> read_stamp(const std::string& text, StampStyle style) {
  if (style == StampStyle::sidecar) return from_json(text);
  for (std::string line : lines_of(text)) {
    if (line.rfind(beginning(style), 0) != 0) continue;
    line.erase(0, beginning(style).size());
    if (style == StampStyle::markdown && line.ends_with(kMarkdownEnd))
      line.resize(line.size() - kMarkdownEnd.size());
    return from_json(line);
  }
  return std::nullopt;
}

std::string without_stamp(const std::string& text, StampStyle style) {
  if (style == StampStyle::sidecar) return text;
  std::string rest;
  for (const std::string& line : lines_of(text))
    if (line.rfind(beginning(style), 0) != 0) rest += line + "\n";
  return rest;
}

std::string difference_of(const std::string& one, const std::string& other) {
  const std::vector<std::string> a = lines_of(one), b = lines_of(other);
  std::size_t head = 0, tail = 0;
  const std::size_t least = std::min(a.size(), b.size());
  while (head < least && a[head] == b[head]) ++head;
  while (tail < least - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
  const std::size_t a_end = a.size() - tail, b_end = b.size() - tail;
  // common[i][j]: the longest common subsequence of what is left from i and j on. Of very many
  // lines that differ (a long format whose every number has changed) pairs need not be found.
  constexpr std::size_t most = 4'000'000;
  const bool aligned = (a_end - head + 1) * (b_end - head + 1) <= most;
  std::vector<std::vector<std::uint32_t>> common;
  if (aligned) {
    common.assign(a_end - head + 1, std::vector<std::uint32_t>(b_end - head + 1, 0));
    for (std::size_t i = a_end; i-- > head;)
      for (std::size_t j = b_end; j-- > head;)
        common[i - head][j - head] =
            a[i] == b[j] ? common[i - head + 1][j - head + 1] + 1
                         : std::max(common[i - head + 1][j - head], common[i - head][j - head + 1]);
  }
  const auto drops_first = [&](std::size_t i, std::size_t j) {
    return !aligned || common[i - head + 1][j - head] >= common[i - head][j - head + 1];
  };
  std::string text;
  for (std::size_t i = head, j = head; i < a_end || j < b_end;) {
    if (i < a_end && j < b_end && a[i] == b[j]) {
      ++i;
      ++j;
    } else if (i < a_end && (j == b_end || drops_first(i, j))) {
      text += "-" + std::to_string(i + 1) + " " + a[i] + "\n";
      ++i;
    } else {
      text += "+" + std::to_string(j + 1) + " " + b[j] + "\n";
      ++j;
    }
  }
  // The same lines, ended or not.
  if (text.empty() && one != other) text = "one ends with a newline, the other does not\n";
  return text;
}

}  // namespace occam

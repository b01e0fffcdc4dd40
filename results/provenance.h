#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/store.h"

namespace occam {

// What a written table, figure or sentence says of its origin, so that it can be made again.
struct Provenance {
  std::string version, revision;       // of occam
  std::string spec;                    // 16 hex digits over the spec's text
  std::string results;                 // digest_of() the results
  std::vector<std::string> databases;  // as named on the command line
  std::vector<std::string> query;      // the command's words, without databases and output
  std::string date;                    // ISO 8601, UTC
  std::string command = "table";       // that made it: table, plot, compare or report
  std::string drawing = {};            // of a picture: digest of what it shows
  std::string content = {};            // of a file with its stamp beside it: digest of its bytes
};

// 16 hex digits over the sorted logical rows: each score with its trial, build and data. The same
// results give the same, whatever order they came in and whatever file holds them.
std::string digest_of(const SweepResults& sweep);
std::string digest_of(const std::string& text);

// How a file carries it: a comment line of its own, or (for formats without comments) a file beside
// it, "<file>.provenance.json".
enum class StampStyle { latex, markdown, sidecar };
StampStyle stamp_style(const std::string& path);  // by the ending: .tex, .md, else sidecar

std::string stamp_text(const Provenance& provenance, StampStyle style);

// The stamp in a file's text, or of its sidecar. Throws Error for one that cannot be read.
std::optional<Provenance> read_stamp(const std::string& text, StampStyle style);
std::string without_stamp(const std::string& text, StampStyle style);

// The lines that differ, "- of the one" and "+ of the other", with their numbers; empty when equal.
std::string difference_of(const std::string& one, const std::string& other);

}  // namespace occam

#pragma once

#include <string>

#include "experiments/spec.h"
#include "results/store.h"

namespace occam {

// `occam add` gives the sweep that runs a larger spec. After a crash the command that began it goes
// on with that one, which says, in comments at its end, of which texts it has grown.

// The spec's text, marked as grown of what the store has under its name, if that is another.
std::string grown_text(const Store& store, const Spec& spec);

// What the store has under the spec's name, where that has grown of it; else "".
std::string grown_from(const Store& store, const Spec& spec);

// Puts that in the place of the spec, which was read from the file, and of its expansion with the
// images in `data`. Returns the line that says so, or "".
std::string take_grown(const Store& store, const std::string& file, const std::string& data,
                       Spec& spec, Expansion& expansion);

}  // namespace occam

#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace occam {

// JSON from another program or from a file, which may hold anything. Throws Error for what is none,
// and for what is nested more than 100 deep: nlohmann copies and prints by recursion.
nlohmann::json parse_received(const std::string& text);

// The whole number of that name, as any program may write it: 3 or 3.0. Throws Error for what is
// none, which nlohmann's own conversion cuts to some number, and for one that is missing and has no
// `otherwise`.
std::int64_t integer_at(const nlohmann::json& object, const std::string& name,
                        std::optional<std::int64_t> otherwise = std::nullopt);

}  // namespace occam

#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace occam {

// JSON from another program or from a file, which may hold anything. Throws Error for what is none,
// and for what is nested more than 100 deep: nlohmann copies and prints by recursion.
nlohmann::json parse_received(const std::string& text);

// What was wrong with JSON, without the library's name for it.
std::string json_problem(const nlohmann::json::exception& problem);

// The member of that name. All throw Error that names it for what is of another kind, and for one
// that is missing and has no `otherwise`. A whole number may be written as 3 or 3.0; one that is
// none nlohmann's own conversion would cut to some number.
std::int64_t integer_at(const nlohmann::json& object, const std::string& name,
                        std::optional<std::int64_t> otherwise = std::nullopt);
double number_at(const nlohmann::json& object, const std::string& name,
                 std::optional<double> otherwise = std::nullopt);
std::string text_at(const nlohmann::json& object, const std::string& name,
                    const std::optional<std::string>& otherwise = std::nullopt);
bool flag_at(const nlohmann::json& object, const std::string& name,
             std::optional<bool> otherwise = std::nullopt);
const nlohmann::json& list_at(const nlohmann::json& object, const std::string& name);
const nlohmann::json& object_at(const nlohmann::json& object, const std::string& name);

// A whole number that is `least` or more, and seconds or another amount from 0 on.
std::int64_t count_at(const nlohmann::json& object, const std::string& name, std::int64_t least = 0,
                      std::optional<std::int64_t> otherwise = std::nullopt);
double amount_at(const nlohmann::json& object, const std::string& name,
                 std::optional<double> otherwise = std::nullopt);

}  // namespace occam

#pragma once

#include <boost/program_options.hpp>
#include <string>

namespace occam {

// The options in two columns, at most 100 wide: "  --db DB   database (default: occam.db)". Empty
// for none.
std::string option_help(const boost::program_options::options_description& options);

// What a number must be for the option: "a whole number up to 2147483647"; "a number" of a real.
std::string expected_number(const boost::program_options::option_description& option);

}  // namespace occam

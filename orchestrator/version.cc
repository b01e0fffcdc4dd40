#include "orchestrator/version.h"

#include "generated/revision.h"

namespace occam {

std::string version() { return OCCAM_VERSION; }
std::string revision() { return OCCAM_REVISION; }

}  // namespace occam

#pragma once
// The last step of resolve(): what no single parameter can check, and what follows from several.

namespace vtsim::config {

struct Resolved;

// Checks relations between parameters (throws ConfigError that names the one given last), computes
// the offered features, and composes the processor model.
void check_and_finish(Resolved& resolved);

}  // namespace vtsim::config

#include "sim/cli/execute.h"
#include "sim/machine/runner.h"

int main(int argc, char** argv) {
  return vtsim::cli::execute({argv, argv + argc}, &vtsim::machine::run);
}

// The command `tranche`: the library's own main, called by name.
#include <tranche/tranche.h>

int main(int argc, char** argv) { return tranche::main(argc, argv); }

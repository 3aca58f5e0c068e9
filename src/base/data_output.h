// Standard output as a place that data go to, beside messages.
//
// The engine gives descriptor 1 to whatever user code prints, so that it can't get between the
// data; what standard output was before is kept aside for those who write them.
// Threads: keep_data_output before there are any; data_output by anybody.
#pragma once

namespace tranche {

// Remembers standard output. A process that replaces descriptor 1 calls it before.
void keep_data_output();
// Its descriptor: what was kept, else standard output itself.
int data_output();

}  // namespace tranche

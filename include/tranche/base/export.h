// Marks what a program that links libtranche.so may use; everything else is hidden.
// Thread rule and lifetime rule: none, these are macros.
#ifndef TRANCHE_BASE_EXPORT_H_
#define TRANCHE_BASE_EXPORT_H_

#define TRANCHE_EXPORT __attribute__((visibility("default")))

#endif  // TRANCHE_BASE_EXPORT_H_

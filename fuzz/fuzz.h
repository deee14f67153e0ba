/* fuzz.h - what each target defines, for libFuzzer or replay.c to call. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Hands the target one input. Always answers 0; a finding is a crash. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

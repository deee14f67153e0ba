/* profile.h - profiles that are under way: what isolate.c and deadline.c ask of profile.c. */
#ifndef HOST_PROFILE_H
#define HOST_PROFILE_H

#include <stdint.h>

struct gbx_isolate;

/* The isolate ends, and so do they. */
void profiles_abandon(struct gbx_isolate *isolate);
/* Stops those whose time has come; answers when to look again. */
uint64_t profiles_look(struct gbx_isolate *isolate, uint64_t now);

#endif

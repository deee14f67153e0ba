/* processes.h - the processes below this one. */
#ifndef TEST_SOAK_PROCESSES_H
#define TEST_SOAK_PROCESSES_H

/* Counts them; kills one with this name (/proc/pid/comm), if there is a name. */
int soak_descendants(const char *to_kill);

#endif

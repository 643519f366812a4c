/*
 * The commands of a program: each reads its arguments and runs a kernel. A command is its number and its arguments,
 * all doubles; where memory is meant, the number of a typed array in the list given with the program, and an offset in
 * it in elements (array -1: NULL). Every extent is checked before a kernel runs, so that a wrong program is an error,
 * not a corrupted process.
 */
#ifndef MUCODE_COMMANDS_H
#define MUCODE_COMMANDS_H
#include "arguments.h"

typedef struct {
  const char *name;
  void (*run)(Run *);
} Command;

/* A command's number is its place. */
extern const Command commands[];
extern const int command_count;

/*
 * Runs commands to the end, or to the first one with a problem: returns its name, else NULL. What each command took is
 * added to `profile`, unless NULL: [commands, 2] seconds and floating-point operations of products.
 */
const char *run_commands(Run *run, double *profile);

/* attention-commands.c; all others are in commands.c. */
void run_attention(Run *run);
void run_attention_backward(Run *run);
void run_cache_write(Run *run);
void run_decode_attention(Run *run);

#endif

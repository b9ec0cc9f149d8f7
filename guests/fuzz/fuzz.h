/*
 * What the fuzz guest does with one order of the host's: steps of one kind, drawn by a seed, until they are done or it has
 * undone itself. Every kind is a file with a row in main.c.
 */
#ifndef GUEST_FUZZ_H
#define GUEST_FUZZ_H

#include "../lib/types.h"

/* A sequence of numbers; each CPU has its own. */
struct draw {
  u64 state;
};

void draw_seed(struct draw *draw, u64 seed);
/* From 0 to `limit` - 1. */
u32 draw_below(struct draw *draw, u32 limit);
/* True once in `times`. */
bool draw_one_in(struct draw *draw, u32 times);
/* 32 bits: an edge, a small number, or anything. */
u32 draw_word(struct draw *draw);
u64 draw_long(struct draw *draw);
/* Fills with any bytes, or mostly zeros. */
void draw_fill(struct draw *draw, void *bytes, u32 length);

#define DRAW_OF(draw, values) ((values)[draw_below(draw, ARRAY_SIZE(values))])

/* Memory that the host may do anything to. */
#define ARENA_PAGES 32
extern u8 arena[ARENA_PAGES][PAGE_SIZE];

/* An address: mostly in the arena, often near a page's end; else none that is good. */
u64 draw_address(struct draw *draw);
/* The same for a frame's number. */
u64 draw_frame(struct draw *draw);

struct kind {
  const char *name;
  /* Connects what the steps need, on the boot CPU; NULL, or what is missing. */
  const char *(*prepare)(void);
  void (*step)(struct draw *draw);
};

extern const struct kind hypercall_kind, port_kind, ide_kind, ring_kind, cpu_kind;

/* A shape of a hypercall's argument, or any hypercall, now and then one that stops or ends the machine. */
void random_hypercall(struct draw *draw);
const char *prepare_hypercalls(void);

/* NULL when a machine just reset works in all its parts, else what does not. */
const char *check_machine(void);

#endif

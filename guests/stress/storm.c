/*
 * Event storm: every CPU sends to every CPU, itself among them, as fast as events are taken. Of many CPUs each sends to the
 * next 16, as bitmaps have no room for more ports.
 */
#include "lane.h"

#define MAX_TARGETS 16

/* By sender, and by how far the taker is from it. */
static struct lane lanes[MAX_CPUS][MAX_TARGETS];

static u32 targets(void) { return cpu_count < MAX_TARGETS ? cpu_count : MAX_TARGETS; }

static bool prepare(void) {
  for (u32 from = 0; from < cpu_count; from++) {
    for (u32 i = 0; i < targets(); i++) {
      if (!lane_open(&lanes[from][i], &storm, (from + i) % cpu_count)) return false;
    }
  }
  return true;
}

static bool step(u32 cpu) {
  bool sent = false;
  for (u32 i = 0; i < targets(); i++) sent |= lane_send(&lanes[cpu][i]);
  return sent;
}

static bool quiet(void) {
  for (u32 from = 0; from < cpu_count; from++) {
    if (!lanes_idle(lanes[from], targets())) return false;
  }
  return true;
}

static void settle(void) {
  for (u32 from = 0; from < cpu_count; from++) lanes_close(lanes[from], targets());
}

struct workload storm = { "storm", prepare, step, quiet, settle, NULL, 0, 0, 0 };

/* The balloon's target, which the host writes into xenstore. One lock guards all that is done with the store. */
#ifndef STRESS_XENSTORE_H
#define STRESS_XENSTORE_H

#include "../lib/types.h"

/* Watches the target. False when there is no xenstore. */
bool xenstore_listen(void);
/* True when the target was written since the last look: it is in *kib. */
bool xenstore_target(u64 *kib);

#endif

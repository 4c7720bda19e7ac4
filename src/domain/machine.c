/* What is said of a machine that is not there. */
#include "sallyport/domain/machine.h"

#include "sallyport/base/str.h"

void machine_say_offline(const struct machine *machine, int64_t now, struct why *out) {
    char at[21] = "", ago[32] = "";
    if (!machine->last_seen) {
        why_set(out, "%s is offline: it was never connected to this relay", machine->name);
        return;
    }
    str_time(at, machine->last_seen);
    str_ago(ago, sizeof(ago), now > machine->last_seen ? (uint64_t)(now - machine->last_seen) : 0);
    why_set(out, "%s is offline since %s (%s)", machine->name, at, ago);
}

#include "sallyport/agent/agent.h"
#include "sallyport/wire/portmap.h"

int agent_helper_main(int argc, char **argv) {
    return portmap_worker_main(argc, argv);
}

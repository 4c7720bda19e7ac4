#include "sallyport/agent/agent.h"
#include "sallyport/probe/gpu.h"
#include "sallyport/wire/portmap.h"

int agent_helper_main(int argc, char **argv) {
    int status = portmap_worker_main(argc, argv);
    return status >= 0 ? status : gpu_worker_main(argc, argv);
}

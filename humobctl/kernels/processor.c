/* What Python asks once, and tells kernels that are compiled in several versions. */
#include "processor.h"

int humob_processor(void)
{
    return processor();
}

/* The system's refusals, as whatever stands for the system asks for them. */
#include "snapshot.h"

int system_refuses;
uint64_t system_refusals;

int system_is_refused(void)
{
    system_refusals += (uint64_t)system_refuses;
    return system_refuses;
}

/* A target that was not built with the hooks, taken one instruction at a time: what each will touch is told as the
   hooks would tell it. The processor's trap flag does it, in the case's own process, so that nobody has to trace it.

   What the target calls elsewhere runs at full speed until it comes back: a breakpoint stands there meanwhile. */
#define _GNU_SOURCE
#include "observing.h"

#if defined __x86_64__
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include "decoding.h"
#include "hooks.h"

#define TRAP_FLAG 0x100u
#define BREAKPOINT 0xcc

static struct code {
    uintptr_t start, end;
} code;                      /* of the target */
static uintptr_t own_stack;  /* its end: a call of the target works below it */
static uintptr_t entered_at; /* the stack when the target was entered; 0: it was not yet */
static uintptr_t last_at;    /* of an instruction that is repeated */
static int calls;            /* the instruction before was a call */
static struct {
    unsigned char *at, was;
} planted; /* the breakpoint */

static int is_code(uintptr_t at) { return at - code.start < code.end - code.start; }

static int find_code(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    for (int i = 0; info->dlpi_addr == *(uintptr_t *)data && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0)
            code = (struct code){info->dlpi_addr + part->p_vaddr, info->dlpi_addr + part->p_vaddr + part->p_memsz};
    }
    return 0;
}

/* The page is this process's own copy from now on. */
static int plant(uintptr_t at)
{
    uintptr_t page = at & ~((uintptr_t)getpagesize() - 1);
    if (mprotect((void *)page, (size_t)getpagesize(), PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
        return 0;
    planted.at = (unsigned char *)at, planted.was = *planted.at;
    *planted.at = BREAKPOINT;
    return 1;
}

static void pull_out(void)
{
    if (planted.at != NULL)
        *planted.at = planted.was;
    planted.at = NULL;
}

/* It has left its own code, as for libc or at its end: whether it is to be stepped on at once. */
static int leaves(uintptr_t stack)
{
    uintptr_t back = *(uintptr_t *)stack;
    if (stack > entered_at) { /* who called it may call it again */
        entered_at = 0;
        return 1;
    }
    return is_code(back) && !plant(back);
}

static struct registers registers_of(const greg_t *from)
{
    static const int numbers[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    struct registers found = {.thread = (uintptr_t)pthread_self(), .flags = (uintptr_t)from[REG_EFL]};
    for (int i = 0; i < 16; i++)
        found.general[i] = (uintptr_t)from[numbers[i]];
    return found;
}

/* What the instruction at `at` is about to do. */
static void tell(uintptr_t at, const greg_t *general)
{
    uintptr_t stack = (uintptr_t)general[REG_RSP];
    struct registers registers = registers_of(general);
    struct instruction next = decode((const unsigned char *)at, &registers);
    if (next.repeated && at == last_at)
        return;
    last_at = next.repeated ? at : 0;
    for (unsigned i = 0; i < next.count; i++)
        if (next.touched[i].address < stack - 4096 || next.touched[i].address >= own_stack)
            observed_range((const void *)next.touched[i].address, next.touched[i].size, next.touched[i].flags, at + 1);
    if (next.flow == COMES_BACK)
        observed_exit();
    calls = next.flow == CALLS;
}

/* Before each instruction; the flags that it goes on with say whether there is another time. */
static void on_trap(int number, siginfo_t *info, void *context)
{
    greg_t *general = ((ucontext_t *)context)->uc_mcontext.gregs;
    uintptr_t at = (uintptr_t)general[REG_RIP], stack = (uintptr_t)general[REG_RSP];
    (void)number, (void)info;
    if (planted.at != NULL && at == (uintptr_t)planted.at + 1) {
        at = (uintptr_t)planted.at;
        pull_out();
        general[REG_RIP] = (greg_t)at;
        general[REG_EFL] |= TRAP_FLAG;
        observed_exit();
    }
    if (entered_at == 0 && is_code(at)) {
        entered_at = stack;
        calls = 1;
    }
    if (entered_at == 0)
        return;
    if (calls)
        observed_enter(*(uintptr_t *)stack);
    calls = 0;
    if (is_code(at))
        tell(at, general);
    else if (!leaves(stack))
        general[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}

static int is_ready(uintptr_t base)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    if (code.end == 0)
        dl_iterate_phdr(find_code, &base);
    return code.end != 0 && sigaction(SIGTRAP, &action, NULL) == 0;
}

void stepping_begins(uintptr_t base, uintptr_t stack_high)
{
    own_stack = stack_high;
    entered_at = last_at = 0;
    if (is_ready(base))
        __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | TRAP_FLAG);
}

void stepping_ends(void)
{
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~(unsigned long long)TRAP_FLAG);
    pull_out();
}
#else
void stepping_begins(uintptr_t base, uintptr_t stack_high) { (void)base, (void)stack_high; }
void stepping_ends(void) {}
#endif

/* Backtraces, and what their addresses mean. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

#include "guard.h"

enum { TEXT = 512 };

struct walk {
    struct trace *trace;
    uintptr_t from; /* frames before this one are left out; 0: those of this library */
};

/* Where this library lies, as the linker knows: to ask dladdr of each frame would read all symbols of a program. */
extern HIDDEN const char __ehdr_start[], _end[];

static int is_ours(uintptr_t frame) { return frame - (uintptr_t)__ehdr_start < (uintptr_t)(_end - __ehdr_start); }

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *given)
{
    struct walk *walk = given;
    int before = 0; /* not 0: it is the very instruction, not one after a call */
    uintptr_t frame = _Unwind_GetIPInfo(context, &before);
    if (!frame)
        return _URC_END_OF_STACK;
    if (walk->from && frame != walk->from)
        return _URC_NO_REASON;
    if (!walk->trace->count && !walk->from && is_ours(frame))
        return _URC_NO_REASON;
    walk->from = 0;
    walk->trace->frames[walk->trace->count++] = before ? frame : frame - 1;
    return walk->trace->count == FRAMES ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static void walk_stack(struct trace *trace, uintptr_t from)
{
    struct walk walk = {trace, from};
    guard_busy++;
    trace->count = 0;
    trace->thread = (int)syscall(SYS_gettid);
    _Unwind_Backtrace(add_frame, &walk);
    guard_busy--;
}

HIDDEN void guard_trace(struct trace *trace) { walk_stack(trace, 0); }

HIDDEN void guard_trace_from(struct trace *trace, uintptr_t frame)
{
    walk_stack(trace, frame);
    if (!trace->count) {
        trace->frames[0] = frame;
        trace->count = 1;
    }
}

/* The source line, as addr2line says it; 0 if it does not. */
static int find_line(const char *module, uintptr_t offset, char *text)
{
    int ends[2];
    char number[32], *arguments[] = {"addr2line", "-Cfpse", (char *)module, number, NULL};
    char *environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", NULL};
    snprintf(number, sizeof number, "0x%lx", offset);
    if (pipe(ends))
        return 0;
    pid_t child = vfork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(STDERR_FILENO);
        execvpe(arguments[0], arguments, environment);
        _exit(127);
    }
    close(ends[1]);
    ssize_t length = child > 0 ? read(ends[0], text, TEXT - 1) : 0;
    close(ends[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    text[length > 0 ? length : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    return length > 0 && !strchr(text, '?');
}

static void show_frame(int number, uintptr_t frame)
{
    Dl_info info = {0};
    char text[TEXT];
    if (!dladdr((void *)frame, &info) || !info.dli_fname) {
        guard_say("    #%d 0x%lx", number, frame);
        return;
    }
    const char *module = *info.dli_fname ? info.dli_fname : "/proc/self/exe";
    uintptr_t base = (uintptr_t)info.dli_fbase;
    uintptr_t offset = *(unsigned char *)(base + 16) == 2 ? frame : frame - base; /* ET_EXEC keeps its addresses */
    if (find_line(module, offset, text))
        guard_say("    #%d %s  (%s)", number, text, module);
    else if (info.dli_sname)
        guard_say("    #%d %s+0x%lx  (%s)", number, info.dli_sname, frame - (uintptr_t)info.dli_saddr, module);
    else
        guard_say("    #%d 0x%lx  (%s)", number, offset, module);
}

HIDDEN void guard_show_trace(const char *what, const struct trace *trace)
{
    if (!trace->thread)
        return;
    guard_say("  %s by thread %d:", what, trace->thread);
    for (int i = 0; i < trace->count; i++)
        show_frame(i, trace->frames[i]);
}

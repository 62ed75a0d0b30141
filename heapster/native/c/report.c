/* What the allocator says: status lines and last words. It may hold its locks here, so nothing below may
   allocate: no stdio. */

#include <stdlib.h>
#include <unistd.h>

#include "layout.h"
#include "report.h"
#include "words.h"

static void add_text(struct line *line, const char *text)
{
    while (*text && line->length < sizeof line->text - 1)
        line->text[line->length++] = *text++;
}

static void add_number(struct line *line, unsigned long number, unsigned base)
{
    char digits[24], *at = digits + sizeof digits - 1;
    *at = 0;
    do
        *--at = "0123456789abcdef"[number % base];
    while (number /= base);
    add_text(line, at);
}

void heapster_say(int to, const struct part *parts, int count)
{
    struct line line = {.length = 0};
    for (int i = 0; i < count; i++) {
        if (parts[i].text)
            add_text(&line, parts[i].text);
        else
            add_number(&line, parts[i].number, parts[i].base);
    }
    line.text[line.length++] = '\n';
    if (write(to, line.text, line.length) < 0)
        return; /* nobody listens */
}

static const char *name_of(word code)
{
    static const char *const names[] = ABORT_NAMES;
    return code > 0 && code < (word)(sizeof names / sizeof *names) && names[code] ? names[code] : "unknown misuse";
}

/* Ends the program. */
__attribute__((visibility("hidden"))) void heapster_abort(word code, word address)
{
    SAY(STDERR_FILENO, TEXT("heapster: "), TEXT(name_of(code)), TEXT(" at 0x"), HEX(address));
    abort();
}

/* Writes a line of the status dump. */
__attribute__((visibility("hidden"))) void heapster_show(word kind, word address, word size, word used)
{
    switch (kind) {
    case SHOW_ARENA:
        SAY(STDERR_FILENO, TEXT("arena at 0x"), HEX(address), TEXT(": "), DECIMAL(size), TEXT(" bytes held, "),
            DECIMAL(used), TEXT(" used"));
        break;
    case SHOW_REGION:
        SAY(STDERR_FILENO, TEXT("  region at 0x"), HEX(address), TEXT(": "), DECIMAL(size), TEXT(" bytes"));
        break;
    case SHOW_BLOCK:
        SAY(STDERR_FILENO, TEXT("    0x"), HEX(address), TEXT("  "), DECIMAL(size), TEXT(used ? "  used" : "  free"));
        break;
    case SHOW_RUN:
        SAY(STDERR_FILENO, TEXT("  run at 0x"), HEX(address), TEXT(": slots of "), DECIMAL(size), TEXT(" bytes, "),
            DECIMAL(used), TEXT(" used"));
        break;
    case SHOW_UNGUARDED:
        SAY(STDERR_FILENO, TEXT("heapster: no guard of "), DECIMAL(size),
            TEXT(" bytes, for lack of mappings: from here on memory may lie beside other memory"));
        break;
    default:
        SAY(STDERR_FILENO, TEXT("mapping at 0x"), HEX(address), TEXT(": "), DECIMAL(size),
            TEXT(used ? " bytes, used" : " bytes, free"));
    }
}
